"""Tells the server what the taggers of this app know: all of it on every connection, then what changes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from metaflow_core.api import BuildContext, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.tagging import Entry, Report, ReportsSource
from metaflow_link.wire.knowledge import ENTRIES, Op, key_of, ops_batch

__all__ = ["Reporter"]

_LOOK_S = 0.25


@dataclass(slots=True)
class _Told:
    """What was told of one tagger.

    :ivar keys: of the entries told, by the identity of the object, which is kept so that it is not another's.
    """

    tagger: ReportsSource
    version: int = -1
    said: tuple[str, int, bool] | None = None
    keys: dict[int, tuple[Entry, str]] = field(default_factory=dict)


class Reporter:
    """Looks at the taggers a few times a second; a look costs nothing while nothing changed.

    :param put: spools a batch.
    """

    def __init__(self, context: BuildContext, put: Callable[[RecordBatch], Awaitable[None]]) -> None:
        self._context = context
        self._put = put
        self._told: dict[str, _Told] = {}

    def again(self) -> None:
        """All of it is told once more: a new connection, or a spool that lost something."""
        self._told.clear()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self.look()
            await self._context.clock.sleep(_LOOK_S)

    async def look(self) -> None:
        """Tell what is new."""
        taggers = self._context.services.get("taggers")
        for name, tagger in taggers.items() if isinstance(taggers, Mapping) else ():
            if not isinstance(tagger, ReportsSource):
                continue
            told = self._told.get(name)
            if told is None or told.tagger is not tagger:
                told = self._told[name] = _Told(tagger)
            if told.version == tagger.version:
                continue
            report = tagger.report()
            batch, after = await asyncio.to_thread(_changes, name, told, report)
            try:
                if batch.data.num_rows:
                    await self._put(batch)
                    self._context.counters.add("reported", batch.data.num_rows, unit="entries")
            except StorageError:
                # the spool is full and waits: it is told later
                return
            if self._told.get(name) is told:
                self._told[name] = after


def _changes(name: str, told: _Told, report: Report) -> tuple[RecordBatch, _Told]:
    said = (report.scope, report.reign, report.entries is not None)
    after = _Told(told.tagger, report.version, said)
    ops = list(_ops(name, told, report, after, is_new=said != told.said))
    return RecordBatch(ENTRIES, ops_batch(ops), uuid.uuid4().hex), after


def _ops(name: str, told: _Told, report: Report, after: _Told, *, is_new: bool) -> Iterator[Op]:
    def op(word: str, key: str = "", entry: str = "") -> Op:
        return Op(word, name, report.scope, report.reign, key, entry)

    if report.entries is None:
        if is_new:
            yield op("member")
        return
    if is_new:
        yield op("begin")
    before = {} if is_new else told.keys
    known = {key for _, key in before.values()}
    now: set[str] = set()
    for entry in report.entries:
        held = before.get(id(entry))
        if held is not None:
            after.keys[id(entry)] = held
            now.add(held[1])
            continue
        key, text = key_of(entry)
        after.keys[id(entry)] = entry, key
        if key not in known and key not in now:
            yield op("put", key, text)
        now.add(key)
    for key in known - now:
        yield op("drop", key)
    if is_new:
        yield op("whole")
