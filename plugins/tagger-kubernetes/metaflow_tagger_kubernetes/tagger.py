"""The tagger: watches the API server, and learns anew whenever something changed."""

from __future__ import annotations

import asyncio
import contextlib
import time

from metaflow_core.api import BuildContext
from metaflow_core.errors import StartError, StorageError
from metaflow_core.tagging import AddressTagger, Entry
from metaflow_tagger_kubernetes.access import Access, connect
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.resources import resources
from metaflow_tagger_kubernetes.watcher import Watcher
from metaflow_tagger_kubernetes.world import World

__all__ = ["KubernetesTagger"]

_FIRST_PICTURE_S = 5.0


class KubernetesTagger(AddressTagger):
    """Fills the tags of a cluster. What was known last stays in force while the API server is away, and is reported as stale."""

    def __init__(self, context: BuildContext, config: KubernetesConfig) -> None:
        super().__init__(context)
        self._config = config
        self._access: Access | None = None
        self._watchers: list[Watcher] = []
        self._world = World(config, config.cluster)
        self._learnt = -1
        # what could not be learned yet: more is not taken out of the world before that is
        self._waiting: tuple[list[Entry], list[Entry]] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._reported = ""

    async def start(self) -> None:
        """Read the access and begin to watch. An API server that does not answer is no error: its tags come when it does.

        :raises StartError: there is no access, or the book of numbers cannot be read.
        """
        try:
            await asyncio.to_thread(self.context.ids.open)
        except StorageError as error:
            raise StartError(str(error)) from error
        access, name = await asyncio.to_thread(connect, self._config.kubeconfig, self._config.context)
        self._access = access
        self._world = World(self._config, self._config.cluster or name or "kubernetes")
        self._watchers = [
            Watcher(
                access,
                resource,
                namespace,
                self._config,
                self._world,
                self.context.counters,
                self.context.clock.time_ns,
            )
            for resource in resources(self._config.custom_workloads)
            for namespace in (self._config.namespaces if resource.namespaced and self._config.namespaces else [""])
        ]
        for watcher in self._watchers:
            watcher.start()
        # Rows that are tagged before the first list is in would have no tags; a while is worth waiting for it.
        await asyncio.to_thread(self._first_picture)
        await self.look()
        self._learning = asyncio.create_task(self._learn())

    def _first_picture(self) -> None:
        end = time.monotonic() + _FIRST_PICTURE_S
        for watcher in self._watchers:
            watcher.listed.wait(max(0.0, end - time.monotonic()))

    async def stop(self) -> None:
        """Stop watching."""
        task, self._learning = self._learning, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for watcher in self._watchers:
            watcher.end()
        if self._access is not None:
            # Threads that wait for an event are daemons: they end with their connection, at the latest when the server ends the watch.
            self._access.close()
            self._access = None
        self._watchers = []

    async def _learn(self) -> None:
        while True:
            await self.context.clock.sleep(self._config.settle_s)
            await self.look()

    async def look(self) -> bool:
        """Learn what changed.

        :returns: whether something did.
        """
        self._report()
        changes = self._world.changes
        if changes == self._learnt and not self._world.is_ageing and self._waiting is None:
            return False
        now = self.context.clock.time_ns()
        if self._waiting is None:
            self._waiting = await asyncio.to_thread(self._world.revision, now)
        gone, come = self._waiting
        try:
            if gone or come:
                await asyncio.to_thread(self.revise, gone, come, now)
        except (OverflowError, StorageError) as error:
            self.context.report("degraded", f"the last known tags stay in force: {error}")
            return False
        self._waiting = None
        self._learnt = changes
        return bool(gone or come)

    def _report(self) -> None:
        problems = sorted({watcher.problem for watcher in self._watchers if watcher.problem})
        sentence = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        if sentence != self._reported:
            self._reported = sentence
            if sentence:
                self.context.report("degraded", f"tags may be stale, the last known ones stay in force: {sentence}")
            else:
                self.context.report(
                    "running", f"{self._world.count('Pod')} pods, {self._world.count('Service')} services"
                )
