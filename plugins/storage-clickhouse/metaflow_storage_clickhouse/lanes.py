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

_FEW_ROWS = 1_000


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
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lanes:
    """Group commit: while one insert of a table runs, what arrives for it is collected for the next.

    :param store: stores items of a table; awaited for one group a table at a time.
    :param flush_rows: rows of a group at most (a larger batch is a group of its own).
    :param linger_s: how soon after an insert of few rows another one of few rows may follow.
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
            if rest > 0 and sum(each.item.data.num_rows for each in lane.waiting) < _FEW_ROWS and not self._closed:
                await asyncio.sleep(rest)
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
        group, rows = [lane.waiting.popleft()], 0
        rows = group[0].item.data.num_rows
        while lane.waiting and rows + lane.waiting[0].item.data.num_rows <= self._flush_rows:
            group.append(lane.waiting.popleft())
            rows += group[-1].item.data.num_rows
        return group

    async def close(self) -> None:
        """Let what was accepted be stored; nothing more is accepted."""
        async with self._room:
            self._closed = True
            self._room.notify_all()
        for lane in self._lanes.values():
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
