"""The tagger: reads accounts, and learns anew whenever something changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from metaflow_core.api import BuildContext
from metaflow_core.tagging import FollowingTagger
from metaflow_tagger_cloud.asking import Asking, Cloud
from metaflow_tagger_cloud.clouds import MAKERS
from metaflow_tagger_cloud.config import CloudConfig
from metaflow_tagger_cloud.metadata import MetadataService
from metaflow_tagger_cloud.watcher import Watcher
from metaflow_tagger_cloud.world import World

__all__ = ["CloudTagger"]

_FIRST_PICTURE_S = 10.0


class CloudTagger(FollowingTagger):
    """Fills what clouds know of addresses. What was known last stays in force while one is away, and is reported as stale."""

    def __init__(self, context: BuildContext, config: CloudConfig) -> None:
        super().__init__(context, config.settle_s)
        self._config = config
        self._world = World(config)
        self._watchers: list[Watcher] = []

    async def start(self) -> None:
        """Begin to read. A cloud that does not answer is no error: its tags come when it does.

        :raises StartError: the book of numbers cannot be read.
        """
        await self.open()
        makers: dict[str, Callable[[Callable[..., Asking]], Cloud]] = {}
        for cloud, make in MAKERS.items():
            for place, options in enumerate(getattr(self._config, cloud)):
                makers[f"{cloud}/{options.name or place}"] = partial(make, options)
        if self._config.metadata is not None:
            makers["metadata"] = partial(MetadataService, self._config.metadata)
        self._watchers = [
            Watcher(name, make, self._config, self._world, self.context.counters, self.context.clock.time_ns)
            for name, make in makers.items()
        ]
        for watcher in self._watchers:
            watcher.start()
        # Rows that are tagged before the first reading would have no tags; a while is worth waiting for it.
        await asyncio.to_thread(self._first_picture)
        await self.look()
        self.follow()

    def _first_picture(self) -> None:
        end = time.monotonic() + _FIRST_PICTURE_S
        for watcher in self._watchers:
            watcher.read.wait(max(0.0, end - time.monotonic()))

    async def stop(self) -> None:
        """Stop reading."""
        await super().stop()
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.end()

    async def look(self) -> bool:
        """Learn what changed.

        :returns: whether something did.
        """
        is_new = await self.learn_from(self._world)
        self._report()
        return is_new

    def _report(self) -> None:
        parts: list[str] = []
        for watcher in self._watchers:
            for part, (sentence, since) in sorted(watcher.problems.items()):
                where = f"{watcher.account}/{part}".rstrip("/")
                when = f"{datetime.fromtimestamp(since / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}"
                parts.append(f"{where}: {sentence} (since {when}; the last known tags stay)")
            if watcher.denied:
                parts.append(
                    f"{watcher.account}: the rights do not allow {', '.join(watcher.denied)}; what these tell is missing"
                )
        if self._world.ambiguous:
            parts.append(
                f"addresses of the VPCs {'; '.join(self._world.ambiguous[:3])} overlap and are left untagged; name one in the option vpcs"
            )
        self.say("; ".join(parts), f"{self._world.count} resources")
