"""Keeps what one registry knows up to date, in a thread: look, wait, look again; the last known stays while it is away."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from itertools import islice

from metaflow_core.api import Counters
from metaflow_tagger_registry.config import RegistryConfig
from metaflow_tagger_registry.http import Denied, Failed
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading, Source
from metaflow_tagger_registry.world import World

__all__ = ["Watcher"]

_LONGEST_REST_S = 60.0


class Watcher(threading.Thread):
    """One registry.

    :ivar registry: its name. :ivar problem: why it is behind or sees a part only; empty when all is well. :ivar looked: it knew everything at least once.
    :ivar failing_since_ns: since when it cannot be asked, 0 while it can.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Reading], Source],
        config: RegistryConfig,
        world: World,
        counters: Counters,
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(name=f"registry {name}", daemon=True)
        self.registry = name
        self._config = config
        self._world = world
        self._counters = counters
        self._now_ns = now_ns
        self._stopping = threading.Event()
        self._warned = ""
        self._dropped = 0
        self.problem = ""
        self.looked = threading.Event()
        self.failing_since_ns = 0
        self._source = make(Reading(config, self._drop, self._warn, self._stopping.wait))

    def end(self) -> None:
        """Stop as soon as the registry lets it; the thread is a daemon and nothing waits for it."""
        self._stopping.set()
        self._source.close()

    def run(self) -> None:
        """Look until told to stop. A failure waits, longer each time, with a random part so that agents do not come at once."""
        failures = 0
        first = True
        while not self._stopping.is_set():
            begin_ns = self._now_ns()
            self._warned, self._dropped = "", 0
            try:
                found = self._bounded(self._look(first))
            except Failed as error:
                if self._stopping.is_set():
                    return
                failures += 1
                first = True
                self.failing_since_ns = self.failing_since_ns or begin_ns
                self.problem = f"{self.registry}: {error}"
                self._counters.add(
                    "retries", reason="forbidden" if isinstance(error, Denied) else "failed", unit="looks"
                )
                self._rest(min(_LONGEST_REST_S, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0))  # noqa: S311
                continue
            if self._stopping.is_set():
                return
            self._world.replace(self.registry, found, begin_ns, self._now_ns())
            self._counters.add("looks", unit="looks")
            failures, self.failing_since_ns, self.problem = 0, 0, self._sentence()
            first = False
            self.looked.set()
            # a registry that changes all the time is not asked all the time
            self._rest(self._config.settle_s)

    def _look(self, first: bool) -> Iterable[Instance]:
        try:
            return self._source.look(first)
        except Failed:
            raise
        except Exception as error:
            # what nobody foresaw must not end the thread
            raise Failed(f"{type(error).__name__}: {error}"[:300]) from error

    def _rest(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _bounded(self, found: Iterable[Instance]) -> list[Instance]:
        loopback = self._config.loopback
        kept: list[Instance] = []
        for each in found:
            if self._config.only_healthy and each.healthy is False:
                continue
            if loopback is False and (each.address == "::1" or each.address.startswith("127.")):
                self._drop("loopback")
                continue
            kept.append(each)
        over = len(kept) - self._config.max_instances
        if over > 0:
            self._counters.add("dropped", over, reason="too_many", unit="instances")
            self._warn(f"{over} instances more than max_instances ({self._config.max_instances}) are left out")
        return list(islice(kept, self._config.max_instances))

    def _sentence(self) -> str:
        parts = [self._warned] if self._warned else []
        if self._dropped:
            parts.append(f"{self._dropped} instances could not be used; the counter 'dropped' tells the reasons")
        return f"{self.registry}: {'; '.join(parts)}" if parts else ""

    def _drop(self, reason: str) -> None:
        self._counters.add("dropped", reason=reason, unit="instances")
        # by choice of the options; nothing is wrong with the registry
        self._dropped += reason != "loopback"

    def _warn(self, sentence: str) -> None:
        self._warned = sentence
