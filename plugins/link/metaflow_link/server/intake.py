"""From the bytes of a parcel to stored rows: what all connections of a receiver share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from metaflow_core.api import BuildContext, Emit, RecordBatch
from metaflow_core.errors import ParseError
from metaflow_core.model.catalog import Table
from metaflow_core.model.catalog.conform import conform
from metaflow_link.server.reported import Reported
from metaflow_link.server.stripping import numbered, stripped
from metaflow_link.wire.batches import unpack
from metaflow_link.wire.messages import messages

__all__ = ["Intake", "NeverStored"]


class NeverStored(Exception):
    """A batch that cannot be stored, now or later; the text says why. :ivar reason: in a word."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Ready:
    batch: RecordBatch
    surplus: int


class Intake:
    """Bounds what is in work, and sees to it that a batch that is sent again while it is being stored is not stored beside itself.

    :param emit: hands a batch to the pipeline and returns when it is stored. :param reported: takes in what agents know.
    """

    def __init__(
        self, context: BuildContext, emit: Emit, reported: Reported, *, max_bytes: int, max_batch_bytes: int
    ) -> None:
        self._context = context
        self._reported = reported
        self._emit = emit
        self._max_bytes = max_bytes
        self._max_batch_bytes = max_batch_bytes
        self._bytes = 0
        self._room = asyncio.Condition()
        # unpacking is done by the processor, so more at once than there are processors is of no use
        self._unpacking = asyncio.Semaphore(4)
        self._working: dict[str, asyncio.Task[int]] = {}

    def read(self, data: bytes) -> Any:
        """The ``Batch`` in a parcel.

        :raises NeverStored: there is none.
        """
        from google.protobuf.message import DecodeError

        try:
            message = messages()["Batch"].FromString(data)
        except DecodeError as error:
            raise NeverStored("malformed", f"the parcel holds no batch: {error}") from None
        if not message.id or len(message.id) > 512:
            raise NeverStored("malformed", "the batch has no id, or one of more than 512 characters")
        return message

    def name(self, number: int, hostname: str, agent_id: str) -> None:
        """Rows with this number are of that machine."""
        self._reported.name_agent(number, hostname, agent_id)

    async def learn(self, agent_id: str, message: Any) -> int:
        """Take in what an agent's taggers know; when this returns it is kept. Returns how many things that are.

        :raises NeverStored: it is no such thing.
        """
        now = self._context.clock.time_ns()
        try:
            found = await asyncio.to_thread(unpack, message, self._max_batch_bytes)
            count = await asyncio.to_thread(self._reported.take, agent_id, message.table, found.data, now)
        except ParseError as error:
            raise NeverStored("malformed", str(error)) from None
        self._context.counters.add("learned", count, unit=message.table)
        return count

    async def take(self, agent_id: str, message: Any, nbytes: int, number: int = 0) -> int:
        """Store a ``Batch``; returns its rows. Waits while too much is in work.

        :param nbytes: of the message. :param number: of the agent, for its rows.
        :raises NeverStored: it never can be. :raises MetaFlowError: it was not, and may be sent again.
        """
        name = f"{agent_id}/{message.id}"
        task = self._working.get(f"{message.table}/{name}")
        if task is None:
            size = max(min(message.size, self._max_batch_bytes), nbytes)
            task = asyncio.create_task(self._work(name, message, size, number))
            self._working[f"{message.table}/{name}"] = task
            task.add_done_callback(lambda done: self._finished(f"{message.table}/{name}"))
        # whoever waits may go; the work goes on
        return await asyncio.shield(task)

    def _finished(self, name: str) -> None:
        task = self._working.pop(name)
        if not task.cancelled():
            # nobody may be waiting any more
            task.exception()

    async def _work(self, name: str, message: Any, size: int, number: int) -> int:
        async with self._room:
            await self._room.wait_for(lambda: not self._bytes or self._bytes + size <= self._max_bytes)
            self._bytes += size
        try:
            async with self._unpacking:
                ready = await asyncio.to_thread(self._ready, name, message, number)
            if ready.surplus:
                self._context.counters.add("received", ready.surplus, reason="unknown_columns", unit="columns")
            await self._emit(ready.batch)
            rows: int = ready.batch.data.num_rows
            self._context.counters.add("received", rows)
            return rows
        finally:
            async with self._room:
                self._bytes -= size
                self._room.notify_all()

    def _ready(self, name: str, message: Any, number: int) -> _Ready:
        table = self._context.catalog.tables.get(message.table)
        if table is None:
            raise NeverStored(
                "unknown_table", f"the server knows no table {message.table[:128]!r}; is the agent newer?"
            )
        try:
            found = unpack(message, self._max_batch_bytes)
            data, surplus = _known(found.data, table)
            rows = conform(numbered(data, table, number), table, fill=False)
            return _Ready(RecordBatch(table.name, stripped(rows), name), surplus)
        except ParseError as error:
            raise NeverStored("malformed", str(error)) from None

    async def stop(self) -> None:
        """Give up what is in work; agents send it again."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _known(data: pa.RecordBatch, table: Table) -> tuple[pa.RecordBatch, int]:
    """Without columns that a newer agent has and this server does not know; and how many those were."""
    known = {name for column in table.columns for name in (column.name, *column.sources)}
    kept = [name for name in data.schema.names if name in known]
    if len(kept) != len(set(kept)):
        raise ParseError(f"a batch for {table.name} has two columns of one name")
    surplus = len(data.schema.names) - len(kept)
    return (data.select(kept) if surplus else data), surplus
