"""Batches on their way to the store: one lane a table, small ones together, and who writes too fast waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from metaflow_core.errors import MetaFlowError, StorageError
from metaflow_core.model.catalog import Table
from metaflow_storage_clickhouse.writer import Item

__all__ = ["Lanes"]

_FEW_ROWS = 10_000
_FEW_BATCHES = 32
"""Who sends waits for each of its batches, and only so many are written at once: a lane that held all of those would hold up everybody."""
_MOST_BYTES = 64 << 20
"""Of a group: the engine holds it several times while it sorts and packs it."""


@dataclass(slots=True)
class _Waiting:
    item: Item
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Lane:
    table: Table
    waiting: deque[_Waiting] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    last: float = 0.0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def has_few(self) -> bool:
        """Whether what waits is not worth an insert of its own yet."""
        return len(self.waiting) < _FEW_BATCHES and sum(each.item.data.num_rows for each in self.waiting) < _FEW_ROWS


class Lanes:
    """Group commit: while one insert of a table runs, what arrives for it is collected for the next.

    :param store: stores items of a table; awaited for one group a table at a time.
    :param flush_rows: rows of a group at most (a larger batch is a group of its own).
    :param linger_s: how soon after an insert of few rows another one of few rows, in few batches, may follow.
    :param max_bytes: of all that waits.
    """

    def __init__(
        self,
        store: Callable[[Table, Sequence[Item]], Awaitable[None]],
        *,
        flush_rows: int,
        linger_s: float,
        max_bytes: int,
    ) -> None:
        self._store = store
        self._flush_rows = flush_rows
        self._linger_s = linger_s
        self._max_bytes = max_bytes
        self._bytes = 0
        self._room = asyncio.Condition()
        self._lanes: dict[str, _Lane] = {}
        self._closed = False

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    async def put(self, table: Table, item: Item) -> None:
        """Wait for room, then until the item is stored.

        :raises StorageError: it was not stored, or the storage stops.
        """
        size = item.data.nbytes
        async with self._room:
            # A batch larger than everything that may wait goes when nothing else does.
            await self._room.wait_for(lambda: self._closed or not self._bytes or self._bytes + size <= self._max_bytes)
            if self._closed:
                raise StorageError("the storage has stopped; the batch was not stored, keep it")
            self._bytes += size
        try:
            waiting = _Waiting(item, asyncio.get_running_loop().create_future())
            lane = self._lanes.setdefault(table.name, _Lane(table))
            lane.waiting.append(waiting)
            if not lane.has_few:
                lane.enough.set()
            if lane.task is None or lane.task.done():
                lane.task = asyncio.create_task(self._drain(lane))
            await waiting.done
        finally:
            async with self._room:
                self._bytes -= size
                self._room.notify_all()

    async def _drain(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        while lane.waiting:
            rest = lane.last + self._linger_s - loop.time()
            if rest > 0 and lane.has_few and not self._closed:
                lane.enough.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lane.enough.wait(), rest)
            group = self._take(lane)
            try:
                async with lane.writing:
                    await self._store(lane.table, [each.item for each in group])
            except MetaFlowError as error:
                _settle(group, error)
            except BaseException as error:
                # Whoever waits must hear of it, whatever it is.
                _settle(group, StorageError(f"storing into {lane.table.name} failed: {error!r}; keep the batch"))
                raise
            else:
                _settle(group, None)
            lane.last = loop.time()

    @contextlib.asynccontextmanager
    async def alone(self, table: Table) -> AsyncIterator[None]:
        """While this is held, nothing is stored into the table; what comes for it waits.

        :raises StorageError: the storage stops.
        """
        if self._closed:
            raise StorageError("the storage has stopped")
        async with self._lanes.setdefault(table.name, _Lane(table)).writing:
            yield

    def _take(self, lane: _Lane) -> list[_Waiting]:
        group = [lane.waiting.popleft()]
        rows, size = group[0].item.data.num_rows, group[0].item.data.nbytes
        while lane.waiting:
            data = lane.waiting[0].item.data
            rows, size = rows + data.num_rows, size + data.nbytes
            if rows > self._flush_rows or size > _MOST_BYTES:
                break
            group.append(lane.waiting.popleft())
        return group

    async def close(self) -> None:
        """Let what was accepted be stored; nothing more is accepted."""
        async with self._room:
            self._closed = True
            self._room.notify_all()
        for lane in self._lanes.values():
            lane.enough.set()
            if lane.task is not None:
                with contextlib.suppress(Exception):
                    await lane.task


def _settle(group: Sequence[_Waiting], error: MetaFlowError | None) -> None:
    for each in group:
        if each.done.done():
            continue
        if error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(error)
