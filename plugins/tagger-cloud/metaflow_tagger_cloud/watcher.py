"""Keeps one account up to date, in a thread: every part is read, then it rests; what cannot be read stays as it was."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from metaflow_core.api import Counters
from metaflow_tagger_cloud.asking import Asking, Cloud, Failed
from metaflow_tagger_cloud.config import CloudConfig
from metaflow_tagger_cloud.world import World

__all__ = ["Watcher"]

_LONGEST_REST_S = 600.0


class Watcher(threading.Thread):
    """One account.

    :ivar problems: why parts are behind, by part, with the time since when. :ivar read: it was read once.
    :ivar denied: calls that its rights do not allow.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Callable[..., Asking]], Cloud],
        config: CloudConfig,
        world: World,
        counters: Counters,
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(name=f"cloud {name}", daemon=True)
        self.account = name
        self._make = make
        self._config = config
        self._world = world
        self._counters = counters
        self._now_ns = now_ns
        self._stopping = threading.Event()
        self._cloud: Cloud | None = None
        self._asked: list[Asking] = []
        self.problems: dict[str, tuple[str, int]] = {}
        self.read = threading.Event()

    @property
    def denied(self) -> list[str]:
        """Calls that the rights do not allow."""
        return sorted({call for asking in self._asked for call in asking.denied})

    def end(self) -> None:
        """Stop after the call that is under way; the thread is a daemon and nothing waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Read until told to stop. A failure is repeated sooner than the next reading, later each time."""
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self._round() else failures + 1
            self.read.set()
            rest = (
                min(_LONGEST_REST_S, self._config.interval_s, 2.0 * 2 ** min(failures, 10))
                if failures
                else self._config.interval_s
            )
            self._stopping.wait(rest * random.uniform(0.8, 1.0))  # noqa: S311

    def _round(self) -> bool:
        """Whether everything could be read."""
        try:
            if self._cloud is None:
                self._cloud = self._make(self._asking)
            parts = self._cloud.parts()
        except Failed as error:
            self._behind("", str(error))
            return False
        except Exception as error:  # noqa: BLE001 - an SDK that raises what nobody foresaw must not end the thread
            self._behind("", f"{type(error).__name__}: {error}"[:300])
            return False
        problems = {part: held for part, held in self.problems.items() if part in parts}
        self.problems = problems
        good = True
        for part in parts:
            if self._stopping.is_set():
                return good
            begin = self._now_ns()
            try:
                found = self._cloud.read(part)
            except Failed as error:
                self._behind(part, str(error))
                good = False
                continue
            except Exception as error:  # noqa: BLE001 - as above
                self._behind(part, f"{type(error).__name__}: {error}"[:300])
                good = False
                continue
            over = len(found) - self._config.max_resources
            if over > 0:
                self._counters.add("dropped", over, reason="too_many", unit="resources")
            if self._stopping.is_set():
                return good
            self._world.replace(f"{self.account}/{part}", found[: self._config.max_resources], begin, self._now_ns())
            self._counters.add("read", len(found), unit="resources")
            self.problems = {each: held for each, held in self.problems.items() if each != part}
        return good

    def _behind(self, part: str, sentence: str) -> None:
        self._counters.add("retries", reason="failed", unit="readings")
        since = self.problems.get(part, ("", self._now_ns()))[1]
        self.problems = {**self.problems, part: (sentence, since)}

    def _asking(self, denies: Callable[[BaseException], bool]) -> Asking:
        made = Asking(
            denies,
            lambda reason: self._counters.add("dropped", reason=reason, unit="resources"),
            timeout_s=self._config.timeout_s,
            resolve=self._config.resolve,
        )
        self._asked.append(made)
        return made
