"""From the kernel's clock to Unix time."""

from __future__ import annotations

import time

__all__ = ["BootClock"]

_STEP_NS = 500_000


class BootClock:
    """The distance between the monotonic clock and Unix time.

    It follows steps of the clock (NTP, an administrator), not the microsecond that two readings lie apart: times of one
    connection must not go back and forth.
    """

    def __init__(self) -> None:
        self._to_unix = self._measure()

    @staticmethod
    def _measure() -> int:
        best, width = 0, 1 << 62
        for _ in range(3):
            before = time.monotonic_ns()
            unix = time.time_ns()
            after = time.monotonic_ns()
            if after - before < width:
                width, best = after - before, unix - (before + after) // 2
        return best

    def to_unix(self) -> int:
        """Nanoseconds to add to a time of the monotonic clock."""
        now = self._measure()
        if abs(now - self._to_unix) > _STEP_NS:
            self._to_unix = now
        return self._to_unix
