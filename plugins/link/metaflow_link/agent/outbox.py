"""The spool as the event loop sees it: every call runs in one thread, so that the disk never holds the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from metaflow_core.api import RecordBatch
from metaflow_core.errors import StorageError
from metaflow_link.spool.spool import Record, Spool
from metaflow_link.wire.batches import pack
from metaflow_link.wire.packing import Packing

__all__ = ["Outbox"]

P = ParamSpec("P")
R = TypeVar("R")


class Outbox:
    """Batches in, records out.

    :ivar filled: set while there may be records that were not read. :param spool: not open yet.
    """

    def __init__(self, spool: Spool, packing: Packing, max_batch_bytes: int) -> None:
        self._spool = spool
        self._packing = packing
        self._max_batch_bytes = max_batch_bytes
        self._thread: ThreadPoolExecutor | None = None
        self.filled = asyncio.Event()
        self.emptied = asyncio.Event()

    @property
    def waiting(self) -> tuple[int, int, int]:
        """Batches, rows and bytes that were not acknowledged (the bytes are those of the files)."""
        return self._spool.waiting_batches, self._spool.waiting_rows, self._spool.nbytes

    async def open(self) -> None:
        """Take the folder.

        :raises StartError: it cannot be used.
        """
        self._thread = ThreadPoolExecutor(1, "metaflow-spool")
        await self._in_thread(self._spool.open)
        self._tell()

    async def put(self, batch: RecordBatch) -> int:
        """Keep a batch; when this returns it is spooled. Returns the bytes it takes.

        :raises StorageError: it is not kept.
        """
        size = await self._in_thread(self._put, batch)
        self._tell()
        return size

    def _put(self, batch: RecordBatch) -> int:
        size = 0
        for part in pack(batch, self._packing, self._max_batch_bytes):
            if self._spool.append(part.data, part.rows):
                size += len(part.data)
        return size

    async def next(self, max_records: int, max_bytes: int) -> list[Record]:
        """Records that were not read since :meth:`rewind`; empty when there are none, and then ``filled`` is not set."""
        self.filled.clear()
        found = await self._in_thread(self._spool.read, max_records, max_bytes)
        if found:
            self.filled.set()
        return found

    async def rewind(self) -> None:
        """Read again what was not acknowledged."""
        await self._in_thread(self._spool.rewind)
        self._tell()

    async def acknowledge(self, sequences: list[int]) -> int:
        """Records are not needed any more; returns their rows."""
        rows = await self._in_thread(self._spool.acknowledge, sequences)
        self._tell()
        return rows

    async def sync(self) -> None:
        """Have everything on the disk."""
        await self._in_thread(self._spool.sync)

    async def close(self) -> None:
        """Give the folder back. Idempotent."""
        if self._thread is not None:
            await self._in_thread(self._spool.close)
            self._thread.shutdown()
            self._thread = None

    def _tell(self) -> None:
        if self._spool.waiting_batches:
            self.filled.set()
            self.emptied.clear()
        else:
            self.emptied.set()

    async def _in_thread(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        if self._thread is None:
            raise StorageError("the spool is closed; the batch was not kept")
        call = partial(function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
