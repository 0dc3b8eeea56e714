"""The storage: an engine, its schema, the writer, and plans run beside the event loop."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from metaflow_core.api import BuildContext, Counters, Flush, RecordBatch, Resource
from metaflow_core.errors import ParseError, QueryError, StartError, StorageError
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.model.catalog.conform import conform
from metaflow_core.query import Plan, Retold, Subject, Tags, late, prepare, retold, subjects_of, tables_of
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines.base import Engine, Settings
from metaflow_storage_clickhouse.engines.choose import choose_engine, embedded_path
from metaflow_storage_clickhouse.errors import ClickHouseError, as_query_error, as_storage_error
from metaflow_storage_clickhouse.finish import finished
from metaflow_storage_clickhouse.lanes import Lanes
from metaflow_storage_clickhouse.names import Dictionaries
from metaflow_storage_clickhouse.retagging import OpenEnds, Retagger
from metaflow_storage_clickhouse.schema.layout import Layout, root_of
from metaflow_storage_clickhouse.schema.migrate import STORE_VERSION, bring_up
from metaflow_storage_clickhouse.series import SeriesBook
from metaflow_storage_clickhouse.sql.plans import Compiler
from metaflow_storage_clickhouse.sql.quote import table_name
from metaflow_storage_clickhouse.sql.result import as_table
from metaflow_storage_clickhouse.writer import Item, Writer, batch_number

__all__ = ["ClickHouseStorage"]

_OWN_SQL: Settings = {
    "enable_positional_arguments": 1,
    "allow_introspection_functions": 0,
    "allow_experimental_analyzer": 1,
}
"""Where ClickHouse's own SQL is asked, it has ClickHouse's own meaning."""
_NARROWED = frozenset({"max_result_rows", "max_execution_time", "max_memory_usage"})
_MOST = {"max_threads": 64, "max_block_size": 1 << 20}
# A cancelled query is killed until it has ended, for five seconds at the most.
_MOST_KILLS, _KILL_AGAIN_S = 25, 0.2
"""What a question may ask for at most, where the storage has no limit of its own: threads and rows at a time cost before they are counted."""


def _least(asked: object, limit: Any) -> Any:
    """The narrower of two limits; 0 and what is no number ask for none."""
    try:
        number = float(str(asked))
    except ValueError:
        return limit
    return type(limit)(min(number, limit)) if number > 0 else limit


class ClickHouseStorage:
    """Keeps records in ClickHouse.

    :param engine: not open yet. :param catalog: the tables it keeps. :param config: its options.
    :param flush: awaited before rows are read; see :class:`metaflow_core.api.BuildContext`.
    """

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        config: ClickHouseConfig,
        counters: Counters | None = None,
        report: Any = None,
        flush: Flush | None = None,
    ) -> None:
        self._engine = engine
        self._flush = flush
        self._catalog = catalog
        self._config = config
        self._counters = counters or Counters("storage.clickhouse")
        self._report = report or (lambda state, sentence: None)
        self._layout = Layout(
            config.retention, config.retention_hours, config.codec, config.cluster, config.fsync, config.minute_sums
        )
        self._writer: Writer | None = None
        self._lanes: Lanes | None = None
        self._series = SeriesBook(engine, catalog, self._layout)
        self._retagger = Retagger(engine, self._layout)
        self._names = Dictionaries(engine, self._layout, self._series, catalog)
        self._writers: ThreadPoolExecutor | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._trouble = ""
        self._done: list[str] = []
        self._compiler = Compiler(catalog, self._source, self._names, bool(config.cluster), self._layout.sums)

    @classmethod
    def of(cls, context: BuildContext, config: ClickHouseConfig) -> ClickHouseStorage:
        """A storage for an app."""
        engine = choose_engine(config, context.data_dir)
        return cls(engine, context.catalog, config, context.counters, context.report, context.flush)

    def resources(self) -> tuple[Resource, ...]:
        """The directory of an embedded store: only one component can have it."""
        path = embedded_path(self._config, None)
        return () if path is None else (Resource("directory", str(path.absolute())),)

    async def start(self) -> None:
        """Open the store and bring its schema up to date.

        :raises StartError: it is in use, cannot be written, or is from a newer version; with a sentence.
        """
        if self._writer is not None:
            return
        self._readers = ThreadPoolExecutor(self._config.query_threads, "clickhouse-read")
        self._writers = ThreadPoolExecutor(2, "clickhouse-write")
        try:
            self._writer = await self._in(self._writers, self._open)
        except BaseException:
            await self.stop()
            raise
        self._lanes = Lanes(
            self._store,
            flush_rows=self._config.flush_rows,
            linger_s=self._config.linger_ms / 1000,
            max_bytes=self._config.max_pending_bytes,
        )

    def _open(self) -> Writer:
        self._engine.open()
        try:
            self._done = bring_up(self._engine, self._catalog, self._layout)
            self._names.open()
            self._retagger.open()
            settings: Settings = {"distributed_foreground_insert": 1} if self._config.cluster else {}
            writer = Writer(self._engine, self._catalog, self._layout, self._counters, settings, self._series)
            if not getattr(self._engine, "clean", True):
                self._done += writer.recover()
        except ClickHouseError as error:
            told = as_storage_error(error, self._engine.place)
            raise StartError(f"the store at {self._engine.place} cannot be used: {error}") from told
        return writer

    async def stop(self) -> None:
        """Store what was accepted, then give everything back."""
        if self._lanes is not None:
            await self._lanes.close()
            self._lanes = None
        for pool in (self._writers, self._readers):
            if pool is not None:
                await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        self._writers = self._readers = self._writer = None
        await asyncio.to_thread(self._engine.close)

    async def write(self, batch: RecordBatch) -> None:
        """Store a batch; when this returns it is safe. A ``batch_id`` seen before is not stored again.

        :raises StorageError: it is not stored; the caller keeps it.
        """
        lanes = self._lanes
        if lanes is None:
            raise StorageError("the storage is not started; the batch was not stored, keep it")
        try:
            table = self._catalog.table(batch.table)
            data = await asyncio.to_thread(conform, batch.data, table, fill=False)
        except (ParseError, QueryError) as error:
            raise StorageError(str(error)) from error
        await lanes.put(table, Item(data, batch_number(table.name, batch.batch_id)))

    async def _store(self, table: Table, items: Sequence[Item]) -> None:
        assert self._writer is not None
        assert self._writers is not None
        try:
            await self._in(self._writers, self._writer.store, table, items)
        except ClickHouseError as error:
            told = as_storage_error(error, self._engine.place)
            self._counters.add("failed", sum(item.data.num_rows for item in items), reason="insert_refused")
            if not self._trouble:
                self._report("degraded", str(told))
            self._trouble = str(told)
            raise told from error
        if self._trouble:
            self._trouble = ""
            self._report("running", "the store takes batches again")

    async def execute(self, plan: Plan) -> pa.Table:
        """Answer a plan. When the caller is cancelled, so is the query.

        :raises QueryError: the plan is wrong, cannot be answered here, or met a limit; with a sentence.
        """
        if self._readers is None:
            raise QueryError("the storage is not started")
        if self._flush is not None:
            await self._flush(tables_of(plan, self._catalog))
        table: pa.Table = await self._reading(lambda query_id, stopped: self._answer(plan, query_id, stopped))
        return table

    async def execute_sql(self, text: str) -> pa.Table:
        """Rows of one SELECT of ClickHouse's own SQL. The caller has checked that it only reads.

        :raises QueryError: ClickHouse refused it, or it met a limit; with a sentence.
        """
        await self._flush_named(text)
        table: pa.Table = await self._reading(
            lambda query_id, stopped: self._engine.query(text, {**self._limits(), **_OWN_SQL}, query_id)
        )
        return table

    async def fetch_sql(
        self,
        text: str,
        form: str,
        *,
        settings: Mapping[str, str],
        can_set: bool,
        query_id: str,
        max_rows: int,
        timeout_s: float,
    ) -> bytes:
        """A reading statement's rows in one of ClickHouse's forms. The caller has checked statement, form and settings.

        :param settings: limits among them count as far as they are narrower than the storage's own.
        :param can_set: settings may follow the statement. :raises QueryError: as :meth:`execute_sql`.
        """
        limits: dict[str, Any] = {**self._limits(), **_OWN_SQL}
        own = {**settings, "max_result_rows": _least(settings.get("max_result_rows"), max_rows)}
        own["max_execution_time"] = _least(settings.get("max_execution_time"), timeout_s)
        for name, value in own.items():
            limit = limits[name] if name in _NARROWED else _MOST.get(name)
            limits[name] = value if limit is None else _least(value, limit)
        form_limits = limits if can_set else None
        await self._flush_named(text)
        data: bytes = await self._reading(
            lambda mark, stopped: self._engine.fetch(text, form, form_limits, mark, self._config.max_result_bytes),
            query_id,
        )
        return data

    async def _flush_named(self, text: str) -> None:
        """Has written what waits for the tables that ClickHouse's own SQL names; a name too many does no harm."""
        named = [
            name
            for name in self._catalog.tables
            if re.search(rf"(?<!\w){re.escape(name.partition('.')[2])}(?!\w)", text)
        ]
        if named and self._flush is not None:
            await self._flush({root_of(self._catalog.tables[name], self._catalog).name for name in named})

    async def _reading(self, run: Callable[[str, threading.Event], Any], name: str = "") -> Any:
        """Runs beside the event loop; when the caller is cancelled, so is the query."""
        if self._readers is None:
            raise QueryError("the storage is not started")
        query_id = f"{name}{'-' if name else ''}{uuid.uuid4().hex}"
        begun, stopped = threading.Event(), threading.Event()

        def told() -> Any:
            begun.set()
            if stopped.is_set():
                raise QueryError("the query was cancelled")
            try:
                self._series.refresh()
                return run(query_id, stopped)
            except ClickHouseError as error:
                raise as_query_error(error, self._engine.place) from error

        running = asyncio.get_running_loop().run_in_executor(self._readers, told)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # that it was cancelled is what the caller wanted: asyncio must not tell of it as of an error nobody has seen
            running.add_done_callback(lambda done: done.exception())
            stopped.set()
            for _ in range(_MOST_KILLS if begun.is_set() else 0):
                await asyncio.to_thread(self._engine.kill, query_id)
                # one that was on its way to ClickHouse was not there to be killed: it is looked for again
                if (await asyncio.wait([running], timeout=_KILL_AGAIN_S))[0]:
                    break
            raise

    def _answer(self, plan: Plan, query_id: str, stopped: threading.Event) -> pa.Table:
        ready = late(prepare(plan, self._catalog))

        def ask(part: Plan) -> pa.Table:
            if stopped.is_set():
                raise QueryError("the query was cancelled")
            relation = self._compiler.compile(part)
            try:
                sent = self._engine.query(relation.result(), self._limits(), query_id)
            except ClickHouseError as error:
                raise as_query_error(error, self._engine.place) from error
            return as_table(sent, relation.columns)

        return finished(ready, ask)

    def explain(self, plan: Plan) -> str:
        """The SQL that a plan becomes; of a plan with ``Fill``, of the part below it.

        :raises QueryError: the plan is wrong or cannot be answered here.
        """
        statements: list[str] = []

        def ask(part: Plan) -> pa.Table:
            relation = self._compiler.compile(part)
            statements.append(relation.result())
            return as_table(pa.table({}), relation.columns)

        finished(late(prepare(plan, self._catalog)), ask)
        return ";\n".join(statements)

    def _limits(self) -> Settings:
        return {
            "max_execution_time": self._config.max_execution_s,
            "max_memory_usage": self._config.max_query_memory,
            "max_result_rows": self._config.max_result_rows,
            "result_overflow_mode": "throw",
            # A list of this many numbers in one row is worked at without a look at the time.
            "function_range_max_elements_in_block": 10_000_000,
            "transform_null_in": 0,
            "join_use_nulls": 0,
            "group_by_use_nulls": 0,
            "aggregate_functions_null_for_empty": 0,
            "enable_positional_arguments": 0,
            "enable_time_series_aggregate_functions": 1,
        }

    def _source(self, name: str) -> str:
        """Rows of a rollup that were not merged yet are merged while they are read."""
        return table_name(name) + (" FINAL" if self._catalog.tables[name].rolled_from else "")

    async def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None) -> None:
        """Add names of ids, to be shown for tags that are resolved through ``dictionary``.

        :param valid_from_s: seconds since 1970 from which a changed name is valid; None replaces the name for all time.
        :raises StorageError: they could not be stored.
        """
        assert self._writers is not None
        try:
            await self._in(self._writers, self._names.learn, dictionary, names, valid_from_s)
        except ClickHouseError as error:
            raise as_storage_error(error, self._engine.place) from error

    async def retag(self, table: str, start_s: int, end_s: int, tags: Tags) -> int:
        """Puts tags that came late on rows; see :class:`metaflow_core.api.LateTagsKeeper`.

        :raises StorageError: they could not be stored.
        """
        lanes, writers, readers = self._lanes, self._writers, self._readers
        if lanes is None or writers is None or readers is None:
            raise StorageError("the storage is not started")
        known, total = self._catalog.table(table), 0
        try:
            for subject in subjects_of(known):
                # Rows are read and taggers asked while others write; only the change itself keeps these waiting.
                ends = await self._in(readers, self._retagger.ends, subject, start_s, end_s)
                found = await retold(subject, ends.rows, tags) if ends.numbers else None
                if found is not None:
                    async with lanes.alone(known):
                        total += await self._in(writers, self._put, subject, start_s, end_s, ends, found)
        except ClickHouseError as error:
            raise as_storage_error(error, self._engine.place) from error
        return total

    def _put(self, subject: Subject, start_s: int, end_s: int, ends: OpenEnds, found: Retold) -> int:
        assert self._writer is not None
        changed = self._retagger.put(subject, start_s, end_s, ends, found)
        self._writer.roll_up_again(subject.table, start_s, end_s)
        return changed

    async def health(self) -> Mapping[str, Any]:
        """State, rows and bytes of every table that has rows, space on disk, version, what start did."""
        if self._readers is None:
            return {"state": "stopped", "place": self._engine.place, "tables": {}}
        try:
            tables, disk = await self._in(self._readers, self._sizes)
        except (ClickHouseError, OSError) as error:
            return {"state": "failed", "why": str(error), "place": self._engine.place, "tables": {}}
        pending = self._lanes.pending_bytes if self._lanes is not None else 0
        return {
            "state": "degraded" if self._trouble else "ok",
            "why": self._trouble,
            "place": self._engine.place,
            "version": STORE_VERSION,
            "pending_bytes": pending,
            "tables": tables,
            "names": self._names.sizes(),
            "done_at_start": list(self._done),
            "process": os.getpid(),
            **disk,
        }

    def _sizes(self) -> tuple[dict[str, dict[str, int]], dict[str, Any]]:
        rows = self._engine.query(
            "SELECT database, `table`, sum(rows) AS n, sum(bytes_on_disk) AS b, count() AS p FROM system.parts "
            "WHERE active GROUP BY database, `table` HAVING n > 0 ORDER BY database, `table`"
        ).to_pylist()
        known = {name.removesuffix("_local") for name in self._catalog.tables}
        sizes = {
            name: {"rows": int(row["n"]), "bytes": int(row["b"]), "parts": int(row["p"])}
            for row in rows
            if (name := f"{row['database']}.{str(row['table']).removesuffix('_local')}") in known
        }
        return sizes, dict(self._engine.disk())

    async def _in(self, pool: ThreadPoolExecutor, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
