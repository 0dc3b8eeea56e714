"""A plugin whose components do what a test tells them, and note what was done to them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from metaflow_core.api import (
    BlockFormat,
    BuildContext,
    CollectorFactory,
    Config,
    CounterSample,
    DialectFactory,
    Emit,
    EngineFactory,
    ExporterFactory,
    FileSupport,
    PacketBlock,
    ParserBinding,
    ParserDescription,
    ParserFactory,
    QueryRequest,
    QueryResult,
    RecordBatch,
    Resource,
    SecretStr,
    ServiceFactory,
    StorageFactory,
    TaggerFactory,
)
from metaflow_core.errors import StorageError
from metaflow_core.hooks import hookimpl

TABLE = "flow_log.l7_message"


def batch(rows: int, batch_id: str = "", first: int = 0) -> RecordBatch:
    """A batch of numbered rows."""
    return RecordBatch(TABLE, pa.record_batch({"n": pa.array(range(first, first + rows), pa.int64())}), batch_id)


class Script:
    """What the components of one plugin do, and what happened to them.

    :ivar events: ``(component id, what)`` in order. :ivar fail: ``{"id.what": how often}`` it raises there.
    :ivar hang: ``{"id.what"}`` at which it never returns. :ivar written: batches by storage or exporter id.
    """

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.fail: dict[str, int] = {}
        self.error: Callable[[str], Exception] = RuntimeError
        self.hang: set[str] = set()
        self.written: dict[str, list[RecordBatch]] = defaultdict(list)
        self.blocks = 8
        self.rows = 10
        self.live: set[str] = set()
        self.emit_records: list[RecordBatch] = []
        self.write_s = 0.0
        self.push_s = 0.0
        self.is_thrifty = False
        """The engine keeps what it has until it is told the time."""
        self.ticks: list[int] = []
        self.gate: asyncio.Event | None = None
        self.finished: list[str] = []
        self.sources: set[int] = set()
        self.emitted = 0
        self.parsers: list[list[str]] = []
        self.contexts: dict[str, BuildContext] = {}

    def did(self, id: str, what: str) -> None:
        """Note it, and fail when told to."""
        self.events.append((id, what))
        left = self.fail.get(f"{id}.{what}", 0)
        if left:
            self.fail[f"{id}.{what}"] = left - 1
            raise self.error(f"{id} was told to fail in {what}")

    def count(self, id: str, what: str) -> int:
        """How often it happened."""
        return self.events.count((id, what))

    def rows_of(self, id: str) -> list[int]:
        """The numbers of the rows that a storage has, in order."""
        return [n for each in self.written[id] for n in each.data.column("n").to_pylist()]


class Part:
    """What all fakes share."""

    def __init__(self, script: Script, context: BuildContext, config: Any) -> None:
        self.script, self.context, self.config, self.id = script, context, config, str(context.id)
        script.contexts[self.id] = context
        script.did(self.id, "create")

    async def _hang(self, what: str) -> None:
        while f"{self.id}.{what}" in self.script.hang:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                # as bad as it gets: it does not even listen
                if f"{self.id}.{what}.deaf" not in self.script.hang:
                    raise

    async def start(self) -> None:
        self.script.did(self.id, "start")
        await self._hang("start")

    async def stop(self) -> None:
        self.script.did(self.id, "stop")
        await self._hang("stop")

    def resources(self) -> Iterable[Resource]:
        port = getattr(self.config, "port", None)
        return [Resource("tcp", f"127.0.0.1:{port}")] if port else []


class FakeCollector(Part):
    async def run(self, emit: Emit) -> None:
        script = self.script
        script.did(self.id, "run")
        for record in script.emit_records:
            await emit(record)
        position = 0
        while position < script.blocks or self.id in script.live:
            if position < script.blocks:
                script.did(self.id, "emit")
                await emit(PacketBlock(position.to_bytes(4, "little") * 256, BlockFormat.RECORDS))
                script.emitted += 1
                position += 1
            else:
                await asyncio.sleep(0.01)


class FakeEngine(Part):
    def __init__(self, script: Script, context: BuildContext, config: Any, parsers: Sequence[ParserBinding]) -> None:
        super().__init__(script, context, config)
        script.parsers.append([each.id for each in parsers])
        self._ready: list[RecordBatch] = []
        self._is_told = True
        self._pushed = 0

    def push(self, block: PacketBlock) -> None:
        self.script.did(self.id, "push")
        if self.script.push_s:
            time.sleep(self.script.push_s)
        self.script.sources.add(block.source)
        self._pushed += 1
        first = int.from_bytes(bytes(block.data[:4]), "little") * self.script.rows
        self._ready.append(batch(self.script.rows, first=first))
        self._is_told = not self.script.is_thrifty

    def tick(self, now_ns: int) -> None:
        self.script.ticks.append(now_ns)
        self._is_told = True

    def finish(self) -> None:
        self.script.did(self.id, "finish")
        self._is_told = True
        self._ready.append(batch(1, first=1_000_000))

    def drain(self) -> Iterator[RecordBatch]:
        if not self._is_told:
            return
        ready, self._ready = self._ready, []
        yield from ready

    def counters(self) -> Iterable[CounterSample]:
        return [CounterSample("", "decode", "ok", "blocks", self._pushed)]

    def explain(self, flow_id: int) -> Sequence[Mapping[str, Any]]:
        return [{"flow_id": flow_id, "engine": self.id}]


class FakeTagger(Part):
    def tag(self, batch: RecordBatch) -> RecordBatch:
        self.script.did(self.id, "tag")
        return replace(batch, data=batch.data.append_column(f"by_{self.id}", pa.array([self.id] * batch.data.num_rows)))


class FakeStorage(Part):
    async def write(self, batch: RecordBatch) -> None:
        await self._hang("write")
        if self.script.write_s:
            await asyncio.sleep(self.script.write_s)
        if self.script.gate is not None:
            await self.script.gate.wait()
        self.script.did(self.id, "write")
        if batch.batch_id not in {each.batch_id for each in self.script.written[self.id]}:
            self.script.written[self.id].append(batch)

    async def execute(self, plan: Any) -> pa.Table:
        await self.context.flush({TABLE})
        return pa.table({"answer": [42]})

    async def health(self) -> Mapping[str, Any]:
        return {}


class FakeExporter(Part):
    async def export(self, batch: RecordBatch) -> None:
        await self._hang("export")
        self.script.did(self.id, "export")
        self.script.written[self.id].append(batch)


class FakeDialect(Part):
    async def query(self, request: QueryRequest, storage: Any) -> QueryResult:
        self.script.did(self.id, "query")
        await self._hang("query")
        return QueryResult(table=await storage.execute(None), kind=request.text)


class FakeService(Part):
    def routes(self) -> Iterable[Any]:
        return []


class Options(Config):
    """Options of every fake."""

    port: int | None = None
    value: str = ""
    secret: SecretStr | None = None


def plugin(script: Script) -> SimpleNamespace:
    """The plugin object for a script."""

    def offer(hook: str, *factories: Any) -> Any:
        return hookimpl(specname=hook)(lambda: list(factories))

    def make(cls: type[Part]) -> Callable[..., Any]:
        return lambda context, config, *more: cls(script, context, config, *more)

    files = FileSupport(
        suffixes=(".blocks",), magics=(b"BLK",), configure=lambda paths, wanted: {"value": wanted or ""}
    )
    return SimpleNamespace(
        __name__="fakes",
        metaflow_collectors=offer(
            "metaflow_collectors",
            CollectorFactory(type="tap", create=make(FakeCollector), config=Options),
            CollectorFactory(type="other", create=make(FakeCollector), config=Options),
            CollectorFactory(type="file", create=make(FakeCollector), config=Options, files=files),
            CollectorFactory(type="receiver", create=make(FakeCollector), config=Options, emits=frozenset({"records"})),
        ),
        metaflow_engines=offer(
            "metaflow_engines", EngineFactory(type="engine", create=make(FakeEngine), config=Options, tables=(TABLE,))
        ),
        metaflow_parsers=offer(
            "metaflow_parsers",
            ParserFactory(
                type="alpha",
                description=ParserDescription(name="alpha", protocols=((200, "alpha"),)),
                python=lambda config: SimpleNamespace(),
                config=Options,
            ),
            ParserFactory(
                type="beta", description=ParserDescription(name="beta", protocols=((201, "beta"),)), config=Options
            ),
        ),
        metaflow_taggers=offer(
            "metaflow_taggers",
            TaggerFactory(type="tagger", create=make(FakeTagger), config=Options),
            TaggerFactory(type="second", create=make(FakeTagger), config=Options),
        ),
        metaflow_storages=offer(
            "metaflow_storages", StorageFactory(type="store", create=make(FakeStorage), config=Options)
        ),
        metaflow_exporters=offer(
            "metaflow_exporters", ExporterFactory(type="out", create=make(FakeExporter), config=Options)
        ),
        metaflow_dialects=offer(
            "metaflow_dialects", DialectFactory(type="ask", create=make(FakeDialect), config=Options)
        ),
        metaflow_services=offer(
            "metaflow_services", ServiceFactory(type="page", create=make(FakeService), config=Options)
        ),
    )


def refuse(message: str) -> StorageError:
    """For :attr:`Script.error`: a storage that refuses."""
    return StorageError(message)
