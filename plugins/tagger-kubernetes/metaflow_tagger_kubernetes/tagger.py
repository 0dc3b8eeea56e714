"""The tagger: watches the API server, and learns anew whenever something changed."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from dataclasses import replace

from metaflow_core.api import BuildContext
from metaflow_core.errors import StorageError
from metaflow_core.tagging import Entry, FollowingTagger, Report
from metaflow_tagger_kubernetes.access import Access, connect
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.election import Election
from metaflow_tagger_kubernetes.resources import resources
from metaflow_tagger_kubernetes.watcher import Watcher
from metaflow_tagger_kubernetes.world import World

__all__ = ["KubernetesTagger"]

_FIRST_PICTURE_S = 5.0


class KubernetesTagger(FollowingTagger):
    """Fills the tags of a cluster. What was known last stays in force while the API server is away, and is reported as stale."""

    def __init__(self, context: BuildContext, config: KubernetesConfig) -> None:
        super().__init__(context, config.settle_s)
        self._config = config
        self._access: Access | None = None
        self._watchers: list[Watcher] = []
        self._cluster = config.cluster
        self._world = self._looked_at = World(config, config.cluster)
        self._election: Election | None = None
        self._reign = 0
        self.scope = ""
        self._is_complete = False
        # what could not be learned yet: more is not taken out of the world before that is
        self._waiting: tuple[list[Entry], list[Entry]] | None = None
        self._reported: str | None = None

    async def start(self) -> None:
        """Read the access and begin to watch. An API server that does not answer is no error: its tags come when it does.

        :raises StartError: there is no access, or the book of numbers cannot be read.
        """
        await self.open()
        access, name = await asyncio.to_thread(connect, self._config.kubeconfig, self._config.context)
        self._access = access
        self._cluster = self._config.cluster or name or "kubernetes"
        if self._config.elect:
            self.scope = f"kubernetes/{self._cluster}"
            who = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
            self._election = Election(access, self._config, who, self._became, self._ceased)
            self._election.start()
            self.follow()
            return
        self._watch(access)
        # Rows that are tagged before the first list is in would have no tags; a while is worth waiting for it.
        await asyncio.to_thread(self._first_picture)
        await self.look()
        self.follow()

    def _watch(self, access: Access) -> None:
        world = World(self._config, self._cluster)
        self._watchers = [
            Watcher(
                access,
                resource,
                namespace,
                self._config,
                world,
                self.context.counters,
                self.context.clock.time_ns,
            )
            for resource in resources(self._config.custom_workloads)
            for namespace in (self._config.namespaces if resource.namespaced and self._config.namespaces else [""])
        ]
        self._world = world
        for watcher in self._watchers:
            watcher.start()

    def _became(self, reign: int) -> None:
        """This agent is elected (called by the election's thread)."""
        self.context.counters.add("elected", unit="times")
        access = self._access
        if access is not None:
            self._reign, self._is_complete = reign, False
            self._watch(access)

    def _ceased(self) -> None:
        """It is not any more: it knows nothing, and reports nothing."""
        for watcher in self._watchers:
            watcher.end()
        self._watchers = []
        self._is_complete = False
        self.version += 1

    def _first_picture(self) -> None:
        end = time.monotonic() + _FIRST_PICTURE_S
        for watcher in self._watchers:
            # what it may not see, or cannot, is not worth waiting for
            while not watcher.listed.wait(0.02) and not watcher.problem and time.monotonic() < end:
                continue

    async def stop(self) -> None:
        """Stop watching."""
        election, self._election = self._election, None
        if election is not None:
            await asyncio.to_thread(election.end)
        await super().stop()
        for watcher in self._watchers:
            watcher.end()
        if self._access is not None:
            # Threads that wait for an event are daemons: they end with their connection, at the latest when the server ends the watch.
            self._access.close()
            self._access = None
        self._watchers = []

    async def turn(self) -> None:
        """Look while nobody else watches the cluster."""
        if self._election is None or self._election.is_elected:
            await self.look()
        else:
            self._stand_by()

    async def look(self) -> bool:
        """Learn what changed.

        :returns: whether something did.
        """
        self._report()
        world = self._world
        if world is not self._looked_at:
            # another reign: what was known belongs to the one before
            await asyncio.to_thread(self.learn, [])
            self._looked_at, self._waiting, self._learnt = world, None, -1
        is_listed = all(each.listed.is_set() for each in self._watchers if not each.problem)
        changes = world.changes
        if changes == self._learnt and not world.is_ageing and self._waiting is None:
            self._complete(is_listed=is_listed)
            return False
        now = self.context.clock.time_ns()
        if self._waiting is None:
            self._waiting = await asyncio.to_thread(world.revision, now)
        gone, come = self._waiting
        try:
            if gone or come:
                await asyncio.to_thread(self.revise, gone, come, now)
        except (OverflowError, StorageError) as error:
            self.context.report("degraded", f"the last known tags stay in force: {error}")
            return False
        self._waiting = None
        self._learnt = changes
        self._complete(is_listed=is_listed)
        return bool(gone or come)

    def _complete(self, *, is_listed: bool) -> None:
        """What is known is all of it, as far as the rights go."""
        if is_listed and self._watchers and not self._is_complete:
            self._is_complete = True
            self.version += 1

    def _stand_by(self) -> None:
        """Another one watches: nothing is known here."""
        if self.entries:
            self.learn([])
            self._looked_at, self._waiting, self._learnt = self._world, None, -1
        self._report()

    def report(self) -> Report:
        """See :meth:`AddressTagger.report`. With an election the one that is elected speaks for the cluster, once it has seen all of it."""
        said = super().report()
        if not self._config.elect:
            return said
        election = self._election
        entries = said.entries if election is not None and election.is_elected and self._is_complete else None
        return replace(said, scope=self.scope, reign=self._reign, entries=entries)

    def _report(self) -> None:
        election = self._election
        problems = sorted({watcher.problem for watcher in self._watchers if watcher.problem})
        if election is not None and election.problem:
            problems.insert(0, election.problem)
        sentence = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        if sentence:
            said = f"tags may be stale, the last known ones stay in force: {sentence}"
        elif election is not None and not election.is_elected:
            said = f"stands by: {election.leader or 'nobody'} watches the cluster"
        else:
            said = ""
        if said != self._reported:
            self._reported = said
            counts = f"{self._world.count('Pod')} pods, {self._world.count('Service')} services"
            self.context.report("degraded" if sentence else "running", said or counts)
