"""The tagger of a server: tags the rows of agents by what agents reported."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.tagging import AddressTagger
from metaflow_link.server.config import AgentTagsConfig
from metaflow_link.server.reported import Reported

__all__ = ["AgentTagger"]


class AgentTagger:
    """Each scope (a cluster; a tagger of one agent) has a look-up of its own, so that no cluster's pods are on another's addresses."""

    def __init__(self, context: BuildContext, config: AgentTagsConfig) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._scopes: dict[tuple[int, str], tuple[AddressTagger, int, int]] = {}
        self._named: list[Names] = []
        self._positions: dict[int, int] = {}

    async def start(self) -> None:
        """Opens the book of numbers.

        :raises StorageError: it cannot be read.
        """
        self._context.ids.open()

    async def stop(self) -> None:
        """Nothing to give back."""

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The rows of an agent with the tags of its cluster and of its own taggers; others come back as they were."""
        agent = batch.batch_id.partition("/")[0]
        for reported in self._reported() if agent else ():
            for scope in reported.scopes(agent):
                tagger = self._tagger(reported, scope)
                if tagger is not None:
                    batch = tagger.tag(batch)
        return batch

    def _reported(self) -> Sequence[Reported]:
        collectors = self._context.services.get("collectors")
        found = collectors.values() if isinstance(collectors, Mapping) else ()
        return [each for collector in found if isinstance(each := getattr(collector, "reported", None), Reported)]

    def _tagger(self, reported: Reported, scope: str) -> AddressTagger | None:
        key = id(reported), scope
        held = self._scopes.get(key)
        version = reported.version(scope)
        if held is not None and held[1] == version:
            return held[0]
        if not version:
            return None
        with self._lock:
            held = self._scopes.get(key)
            tagger, _, position = held if held is not None else (AddressTagger(self._context), 0, 0)
            version, entries = reported.entries(scope)
            try:
                tagger.learn(entries, self._context.clock.time_ns())
            except (OverflowError, StorageError) as error:
                self._context.report("degraded", f"the last known tags of {scope} stay in force: {error}")
            else:
                position, names = tagger.names(position)
                self._named.extend(names)
            self._scopes[key] = tagger, version, position
            return tagger

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """See :meth:`metaflow_core.api.NamesSource.names`."""
        with self._lock:
            for reported in self._reported():
                position, names = reported.names(self._positions.get(id(reported), 0))
                self._positions[id(reported)] = position
                self._named.extend(names)
            return len(self._named), tuple(self._named[after:])
