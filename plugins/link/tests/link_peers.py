"""Both halves in one process, joined by a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from metaflow_link.agent.config import SenderConfig
from metaflow_link.agent.forwarder import Forwarder
from metaflow_link.server.config import ReceiverConfig
from metaflow_link.server.receiver import Receiver

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.testing import build_context

TABLE = "flow_log.l7_message"


def batch(number: int, rows: int = 5, batch_id: str | None = None, **more: Any) -> RecordBatch:
    """Rows that only this number has."""
    data = {
        "time_ns": pa.array([1_700_000_000_000_000_000 + number] * rows, pa.int64()),
        "flow_id": pa.array([number * 1_000_000 + row for row in range(rows)], pa.uint64()),
        "request_type": pa.array(["verb"] * rows),
        **{name: pa.array([value] * rows) for name, value in more.items()},
    }
    return RecordBatch(TABLE, pa.RecordBatch.from_pydict(data), f"b-{number}" if batch_id is None else batch_id)


class Server:
    """A receiver whose pipeline is a list.

    :ivar hold: clear it, and batches wait. :ivar fail: what the pipeline raises instead of storing.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.reports: list[tuple[str, str]] = []
        self.context = build_context(
            Kind.COLLECTOR, "metaflow", clock=SystemClock(), data_dir=folder, reports=self.reports
        )
        self.receiver = Receiver(self.context, ReceiverConfig(**{"listen": "127.0.0.1:0", **options}))
        self.batches: list[RecordBatch] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.fail: Exception | None = None
        self.waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def _emit(self, item: Any) -> None:
        self.waiting += 1
        try:
            await self.hold.wait()
        finally:
            self.waiting -= 1
        if self.fail is not None:
            raise self.fail
        if item.batch_id not in {each.batch_id for each in self.batches}:
            self.batches.append(item)

    @property
    def ids(self) -> list[int]:
        return sorted(value for each in self.batches for value in each.data["flow_id"].to_pylist())

    @property
    def agent(self) -> dict[str, Any]:
        [found] = self.receiver.agents()
        return dict(found)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.receiver.port}"

    async def start(self) -> None:
        await self.receiver.start()
        self._task = asyncio.create_task(self.receiver.run(self._emit))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.receiver.stop()


class Agent:
    """A forwarder and what it says of itself."""

    def __init__(self, folder: Path, server: str, **options: Any) -> None:
        self.reports: list[tuple[str, str]] = []
        self.context = build_context(
            Kind.STORAGE, "metaflow", clock=SystemClock(), data_dir=folder, reports=self.reports
        )
        quick = {"server": server, "retry_s": 0.05, "retry_most_s": 0.2, "report_s": 0.1, "flush_s": 0}
        self.forwarder = Forwarder(self.context, SenderConfig(**{**quick, **options}))

    def counted(self, stage: str, reason: str = "", unit: str = "records") -> int:
        wanted = (stage, reason, unit)
        return sum(
            each.value for each in self.context.counters.samples() if (each.stage, each.reason, each.unit) == wanted
        )

    async def said(self, text: str, seconds: float = 60) -> str:
        """Wait until the agent says something with this text in it."""
        return await until(lambda: next((said for _, said in self.reports if text in said), ""), seconds)

    async def empty(self, seconds: float = 60) -> None:
        async def waiting() -> bool:
            return (await self.forwarder.health())["spool_batches"] == 0

        for _ in range(int(seconds / 0.02)):
            if await waiting():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"the spool does not empty: {await self.forwarder.health()}; it said {self.reports}")


async def until(check: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a true value."""
    for _ in range(int(seconds / 0.02)):
        if found := check():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("what was waited for did not happen")


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    """Start in order, stop in reverse."""
    started: list[Any] = []
    try:
        for part in parts:
            await (part.forwarder if isinstance(part, Agent) else part).start()
            started.append(part)
        yield
    finally:
        for part in reversed(started):
            await (part.forwarder if isinstance(part, Agent) else part).stop()
