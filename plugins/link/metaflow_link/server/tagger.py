"""The tagger of a server: tags the rows of agents by what agents reported."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.tagging import AddressTagger
from metaflow_link.server.config import AgentTagsConfig
from metaflow_link.server.reported import Reported

__all__ = ["AgentTagger"]

_AGENT = "agent_id"
_MOST_ASKED = 256
"""Positions that are remembered; whoever asks from an older one is told everything again."""


class AgentTagger:
    """Each scope (a cluster; a tagger of one agent) has a look-up of its own, so that no cluster's pods are on another's addresses."""

    def __init__(self, context: BuildContext, config: AgentTagsConfig) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._scopes: dict[tuple[int, str], tuple[AddressTagger, int]] = {}
        self._asked: OrderedDict[int, dict[tuple[int, str], int]] = OrderedDict()
        self._position = 0
        self._learnt = 0
        self._stamp: tuple[int, ...] = ()

    @property
    def version(self) -> int:
        """Another number after every change of what agents know; see :class:`metaflow_core.api.Learning`."""
        return sum(reported.changes for reported in self._reported())

    async def start(self) -> None:
        """Opens the book of numbers.

        :raises StorageError: it cannot be read.
        """
        self._context.ids.open()

    async def stop(self) -> None:
        """Nothing to give back."""

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The rows of an agent with the tags of its cluster and of its own taggers; others come back as they were.

        Rows that are asked about once more, long after they were stored, come without the name of their batch: whose they are says
        their column ``agent_id``.
        """
        agent = batch.batch_id.partition("/")[0]
        return self._of(agent, batch) if agent else self._by_number(batch)

    def _of(self, agent: str, batch: RecordBatch) -> RecordBatch:
        for reported in self._reported():
            for scope in reported.scopes(agent):
                tagger = self._tagger(reported, scope)
                if tagger is not None:
                    batch = tagger.tag(batch)
        return batch

    def _by_number(self, batch: RecordBatch) -> RecordBatch:
        index = batch.data.schema.get_field_index(_AGENT)
        if index < 0:
            return batch
        numbers = batch.data.column(index).fill_null(0).to_numpy(zero_copy_only=False)
        parts, places = [], []
        for number in np.unique(numbers).tolist():
            at = np.flatnonzero(numbers == number)
            part = RecordBatch(batch.table, batch.data.take(pa.array(at)))
            agent = next((found for each in self._reported() if (found := each.agent(number))), "")
            parts.append((self._of(agent, part) if agent else part).data)
            places.append(at)
        if len(parts) == 1:
            return RecordBatch(batch.table, parts[0], batch.batch_id)
        # Where one agent's rows got a column that another's lack, it is empty there.
        whole = pa.concat_tables([pa.Table.from_batches([each]) for each in parts], promote_options="default")
        order = pa.array(np.argsort(np.concatenate(places), kind="stable"))
        return RecordBatch(batch.table, whole.take(order).combine_chunks().to_batches()[0], batch.batch_id)

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
            tagger = held[0] if held is not None else AddressTagger(self._context)
            version, entries = reported.entries(scope)
            try:
                tagger.learn(entries, self._context.clock.time_ns())
            except (OverflowError, StorageError) as error:
                self._context.report("degraded", f"the last known tags of {scope} stay in force: {error}")
            self._scopes[key] = tagger, version
            self._learnt += 1
            return tagger

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """See :meth:`metaflow_core.api.NamesSource.names`.

        Nothing is kept of what was told but how far each source had been asked at a position: sources know themselves what came after.
        """
        with self._lock:
            # Asked before each batch: where nothing was learnt, nobody is asked.
            stamp = (self._learnt, *(reported.told for reported in self._reported()))
            if after == self._position and stamp == self._stamp:
                return after, ()
            before = self._asked.get(after, {})
            now: dict[tuple[int, str], int] = {}
            found: list[Names] = []
            sources = [((id(reported), ""), reported.names) for reported in self._reported()]
            sources += [(key, tagger.names) for key, (tagger, _) in self._scopes.items()]
            for key, names in sources:
                now[key], fresh = names(before.get(key, 0))
                found.extend(fresh)
            if now == before:
                return after, ()
            self._stamp = stamp
            self._position += 1
            self._asked[self._position] = now
            while len(self._asked) > _MOST_ASKED:
                self._asked.popitem(last=False)
            return self._position, tuple(found)
