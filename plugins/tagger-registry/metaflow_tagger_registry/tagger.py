"""The tagger: watches registries, and learns anew whenever something changed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from metaflow_core.api import BuildContext, is_loopback
from metaflow_core.errors import StartError
from metaflow_core.tagging import FollowingTagger
from metaflow_tagger_registry.config import RegistryConfig
from metaflow_tagger_registry.sources import MAKERS
from metaflow_tagger_registry.watcher import Watcher
from metaflow_tagger_registry.world import World

__all__ = ["RegistryTagger"]

_FIRST_PICTURE_S = 5.0


class RegistryTagger(FollowingTagger):
    """Fills the services of registries. What was known last stays in force while one is away, and is reported and marked as stale."""

    def __init__(self, context: BuildContext, config: RegistryConfig) -> None:
        super().__init__(context, config.settle_s)
        self._config = config
        self._registries = [name for name in MAKERS if getattr(config, name) is not None]
        self._world = World(config, self._registries)
        self._watchers: list[Watcher] = []

    async def start(self) -> None:
        """Begin to watch. A registry that does not answer is no error: its tags come when it does.

        :raises StartError: the book of numbers cannot be read, or a certificate cannot.
        """
        await self.open()
        try:
            self._watchers = [
                Watcher(
                    name,
                    MAKERS[name],
                    self._config.model_copy(update={"loopback": self._takes_loopback(name)}),
                    self._world,
                    self.context.counters,
                    self.context.clock.time_ns,
                )
                for name in self._registries
            ]
        except OSError as error:
            raise StartError(str(error)) from error
        for watcher in self._watchers:
            watcher.start()
        # Rows that are tagged before the first look is done would have no tags; a while is worth waiting for it.
        await asyncio.to_thread(self._first_picture)
        await self.look()
        self.follow()

    def _takes_loopback(self, name: str) -> bool:
        """127.0.0.1 in a registry elsewhere means another machine's own."""
        if self._config.loopback is not None:
            return self._config.loopback
        options = getattr(self._config, name)
        places = options.hosts if name == "zookeeper" else [url.partition("://")[2] for url in options.urls]
        hosts = [place.partition("/")[0].rpartition("@")[2].rpartition(":")[0].strip("[]") for place in places]
        return all(is_loopback(host) for host in hosts)

    def _first_picture(self) -> None:
        end = time.monotonic() + _FIRST_PICTURE_S
        for watcher in self._watchers:
            while not watcher.looked.wait(0.02) and not watcher.problem and time.monotonic() < end:
                continue

    async def stop(self) -> None:
        """Stop watching."""
        await super().stop()
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            await asyncio.to_thread(watcher.end)

    async def look(self) -> bool:
        """Learn what changed.

        :returns: whether something did.
        """
        self._report()
        late = self.context.clock.time_ns() - int(self._config.stale_s * 1e9)
        self._world.mark_stale(
            frozenset(w.registry for w in self._watchers if w.failing_since_ns and w.failing_since_ns <= late)
        )
        return await self.learn_from(self._world)

    def _report(self) -> None:
        problems = [
            watcher.problem
            + (
                f" (since {datetime.fromtimestamp(watcher.failing_since_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}; the last known tags stay)"
                if watcher.failing_since_ns
                else ""
            )
            for watcher in self._watchers
            if watcher.problem
        ]
        self.say("; ".join(problems), f"{self._world.count} instances of services")
