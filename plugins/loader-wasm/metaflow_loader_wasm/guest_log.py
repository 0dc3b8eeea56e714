"""The one thing a guest may ask of its host: to write a line to the log, a few times a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from metaflow_core.api import abi

__all__ = ["GuestLog"]

_LEVELS = {
    abi.LOG_LEVEL_ERROR: logging.ERROR,
    abi.LOG_LEVEL_WARN: logging.WARNING,
    abi.LOG_LEVEL_INFO: logging.INFO,
    abi.LOG_LEVEL_DEBUG: logging.DEBUG,
}
_LONGEST = 1024


class GuestLog:
    """Rate-limited lines of one module; what is over the limit is counted and told once.

    :param name: shown in front of each line. :param rate: lines a second. :param clock: seconds.
    """

    def __init__(
        self, name: str, logger: logging.Logger, rate: int = 10, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._logger = logger
        self._rate = rate
        self._clock = clock
        self._second = -1
        self._lines = 0
        self.suppressed = 0

    def accepts(self) -> bool:
        """Whether a line may be written now; asked before its bytes are read."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._lines = second, 0
            if self.suppressed:
                self._logger.warning("%s: %d lines of its log were left out, it may write %d a second",
                                     self._name, self.suppressed, self._rate)  # fmt: skip
                self.suppressed = 0
        self._lines += 1
        if self._lines > self._rate:
            self.suppressed += 1
            return False
        return True

    def write(self, level: int, text: bytes) -> None:
        """Write a line: not UTF-8 is repaired, control characters are shown, and it is cut at 1024 bytes."""
        line = text[:_LONGEST].decode("utf-8", "replace")
        shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
        self._logger.log(_LEVELS.get(level, logging.DEBUG), "%s: %s", self._name, shown)
