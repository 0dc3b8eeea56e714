"""The storage: batches in, answers out, beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from metaflow_core.api import Counters, Flush, RecordBatch, Resource
from metaflow_core.errors import ParseError, QueryError, StartError, StorageError
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.model.catalog.arrow import arrow_field
from metaflow_core.model.catalog.conform import conform
from metaflow_core.query import (
    Plan,
    Retold,
    Subject,
    Tags,
    Told,
    labels_of,
    late,
    prepare,
    retold,
    subjects_of,
    tables_of,
)
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.compiler import Compiler
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.database import MEMORY, Database, Running
from metaflow_storage_duckdb.naming import Known, keep_names
from metaflow_storage_duckdb.relation import Relation
from metaflow_storage_duckdb.retagging import open_ends, put_tags
from metaflow_storage_duckdb.schema import BATCHES_TABLE, prepare_table, stored, table_sql
from metaflow_storage_duckdb.types import restore, stored_array

__all__ = ["DuckdbStorage"]


class DuckdbStorage:
    """Keeps records in one DuckDB file.

    :param catalog: the tables it knows. :param counters: what was stored and sent twice; None for nowhere.
    :param data_dir: where the file is made unless the options give a path.
    :param flush: awaited before rows are read; see :class:`metaflow_core.api.BuildContext`.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: DuckdbConfig | None = None,
        counters: Counters | None = None,
        data_dir: Path | None = None,
        flush: Flush | None = None,
    ) -> None:
        self._catalog = catalog
        self._flush = flush
        self._config = config or DuckdbConfig()
        self._counters = counters or Counters("storage.duckdb")
        path = self._config.path or (str(data_dir / "metaflow.duckdb") if data_dir is not None else MEMORY)
        self._database = Database(path if path == MEMORY else os.path.abspath(path), self._config, catalog)  # noqa: PTH100
        self._writing = threading.Lock()
        self._writer: duckdb.DuckDBPyConnection | None = None
        # First and last number of the batch ids that are remembered; None where the file must be asked.
        self._numbers: tuple[int, int] | None = None
        self._grown = False
        self._series = Known()

    def resources(self) -> Iterable[Resource]:
        """The file: it has one owner."""
        return () if self._database.path == MEMORY else (Resource("file", self._database.path),)

    async def start(self) -> None:
        """Opens the file.

        :raises StartError: it cannot be opened, with the reason.
        """
        try:
            await asyncio.to_thread(self.open)
        except StorageError as error:
            raise StartError(str(error)) from error

    def open(self) -> None:
        """:meth:`start` for callers without an event loop.

        :raises StorageError: the file cannot be opened, with the reason.
        """
        with self._writing:
            self._numbers = None
            self._database.open()
            self._writer = self._database.connection().cursor()

    async def stop(self) -> None:
        """Closes the file."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """:meth:`stop` for callers without an event loop."""
        with self._writing:
            writer, self._writer = self._writer, None
            if writer is not None:
                with contextlib.suppress(duckdb.Error):
                    writer.close()
            self._database.close()

    async def write(self, batch: RecordBatch) -> None:
        """Stores a batch; a ``batch_id`` seen before is not stored again.

        :raises StorageError: the batch is not stored, with the reason.
        """
        await asyncio.to_thread(self.add, batch)

    def add(self, batch: RecordBatch) -> None:
        """:meth:`write` for callers without an event loop.

        The rows and the id are one transaction: whatever happens, both are there or neither.

        :raises StorageError: the batch is not stored, with the reason.
        """
        table = self._catalog.table(batch.table)
        try:
            data = conform(batch.data, table, fill=False)
        except ParseError as error:
            raise StorageError(str(error)) from error
        with self._writing:
            new = self._transaction(lambda writer: self._insert(writer, table, data, batch.batch_id))
        if new:
            self._counters.add("stored", data.num_rows)
        else:
            self._counters.add("received", data.num_rows, reason="duplicate_batch")

    def _insert(self, writer: duckdb.DuckDBPyConnection, table: Table, data: pa.RecordBatch, batch_id: str) -> bool:
        if batch_id and not self._remember(writer, batch_id):
            return False
        changed = prepare_table(writer, table, self._database.tables)
        labels = labels_of(table)
        if labels is not None and data.num_rows:
            split = labels.split(data)
            self._series.keep(writer, labels, split)
            data = split.data
        if data.num_rows:
            names = ", ".join(literals.identifier(name) for name in data.schema.names)
            arrays = [stored_array(array) for array in data.columns]
            writer.register("incoming", pa.Table.from_arrays(arrays, names=data.schema.names))
            try:
                writer.execute(f"INSERT INTO {table_sql(table.name)} ({names}) SELECT {names} FROM incoming")
            finally:
                writer.unregister("incoming")
        self._grown = self._grown or changed
        return True

    def _remember(self, writer: duckdb.DuckDBPyConnection, batch_id: str) -> bool:
        """Whether the id is new; it then belongs to the transaction. The oldest ids are forgotten in bulk."""
        if writer.execute(f"SELECT 1 FROM {BATCHES_TABLE} WHERE batch_id = ?", [batch_id]).fetchone():
            return False
        if self._numbers is None:
            row = writer.execute(
                f"SELECT COALESCE(min(number), 1), COALESCE(max(number), 0) FROM {BATCHES_TABLE}"
            ).fetchone()
            self._numbers = (row[0], row[1]) if row is not None else (1, 0)
        first, last = self._numbers
        if last - first >= self._config.remembered_batches * 5 // 4:
            first = last - self._config.remembered_batches + 1
            writer.execute(f"DELETE FROM {BATCHES_TABLE} WHERE number < ?", [first])
        writer.execute(f"INSERT INTO {BATCHES_TABLE} VALUES (?, ?)", [batch_id, last + 1])
        self._numbers = (first, last + 1)
        return True

    def _transaction(self, work: Any) -> Any:
        """Runs ``work(connection)`` in a transaction; a file that became invalid is opened anew for the next one."""
        if self._config.read_only:
            raise StorageError(f"{self._database.path}: is opened read_only; nothing can be stored")
        if self._writer is None:
            self._database.open()
            self._writer = self._database.connection().cursor()
        writer, before = self._writer, self._database.tables
        try:
            writer.execute("BEGIN")
            result = work(writer)
            writer.execute("COMMIT")
            if self._grown:
                # Only now: a reader must not be told of a table that it cannot see yet.
                self._database.tables, self._grown = stored(writer), False
        except duckdb.Error as error:
            self._database.tables, self._numbers, self._grown = before, None, False
            self._series.forget()
            self._give_up(writer, error)
            try:
                self._database.failed(error, "storing")
            except QueryError as other:
                raise StorageError(f"{self._database.path}: the batch was not stored: {other}") from error
        return result

    def _give_up(self, writer: duckdb.DuckDBPyConnection, error: duckdb.Error) -> None:
        try:
            writer.execute("ROLLBACK")
            broken = False
        except duckdb.TransactionException:
            broken = False
        except duckdb.Error:
            broken = True
        if broken or isinstance(error, duckdb.FatalException | duckdb.InternalException):
            self._writer = None
            with contextlib.suppress(duckdb.Error):
                writer.close()
            self._database.close()

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None) -> None:
        """Adds names of ids, to be shown for tags that are resolved through ``dictionary``; they are kept in the file.

        :param valid_from_s: seconds since 1970 from which a changed name is valid; None replaces the name for all time.
        :raises StorageError: they are not stored, with the reason.
        """
        histories = self._database.names

        def keep(told: Sequence[Told]) -> None:
            self._transaction(lambda writer: keep_names(writer, dictionary, told, histories))

        with self._writing:
            histories.learn(dictionary, names, valid_from_s, keep)

    async def retag(self, table: str, start_s: int, end_s: int, tags: Tags) -> int:
        """Puts tags that came late on rows; see :class:`metaflow_core.api.LateTagsKeeper`.

        :raises StorageError: they could not be stored, with the reason.
        """
        known, total = self._catalog.table(table), 0
        for subject in subjects_of(known):
            if not set(subject.columns) <= self._database.tables.get(known.name, frozenset()):
                # Nothing was written to it, or nothing since the catalogue has these columns.
                continue
            ends = await asyncio.to_thread(self._reading, subject, start_s, end_s)
            found = await retold(subject, ends, tags) if ends.num_rows else None
            if found is not None:
                total += await asyncio.to_thread(self._put, subject, ends, found)
        return total

    def _reading(self, subject: Subject, start_s: int, end_s: int) -> pa.RecordBatch:
        try:
            with self._database.cursor() as cursor:
                return open_ends(cursor, subject, start_s, end_s)
        except duckdb.Error as error:
            raise StorageError(f"{self._database.path}: rows without tags cannot be read: {error}") from error

    def _put(self, subject: Subject, ends: pa.RecordBatch, found: Retold) -> int:
        with self._writing:
            return int(self._transaction(lambda writer: put_tags(writer, subject, ends, found)))

    async def execute(self, plan: Plan) -> pa.Table:
        """Answers a plan in a worker thread; whoever stops waiting stops the question too.

        :raises QueryError: the plan is wrong, takes too much or cannot be answered here. :raises StorageError: the file has a defect.
        """
        if self._flush is not None:
            await self._flush(tables_of(plan, self._catalog))
        running = Running()
        try:
            return await asyncio.to_thread(self.query, plan, running)
        except asyncio.CancelledError:
            running.stop("the question was cancelled")
            raise

    def query(self, plan: Plan, running: Running | None = None) -> pa.Table:
        """:meth:`execute` for callers without an event loop.

        :raises QueryError: see there. :raises StorageError: see there.
        """
        running = running or Running()
        limit = self._config.max_result_rows
        sql, relation = self._compile(plan)
        seconds = self._config.max_query_s
        slow = f"the question took longer than {seconds:g} s and was stopped; narrow the range of time or raise max_query_s"
        timer = threading.Timer(seconds, running.stop, [slow])
        timer.daemon = True
        try:
            with self._database.cursor() as cursor:
                running.begin(cursor)
                timer.start()
                try:
                    answer = cursor.sql(sql).to_arrow_table()
                finally:
                    timer.cancel()
                    running.end()
        except duckdb.InterruptException as error:
            raise QueryError(running.stopped or "the question was stopped") from error
        except duckdb.Error as error:
            if running.stopped:
                raise QueryError(running.stopped) from error
            self._database.failed(error, "reading")
        if answer.num_rows > limit:
            raise QueryError(
                f"the answer has more than {limit} rows; add a limit, group the rows or raise max_result_rows"
            )
        return _typed(answer, relation)

    def _compile(self, plan: Plan) -> tuple[str, Relation]:
        ready = late(prepare(plan, self._catalog), self._database.names.changed)
        return Compiler(self._catalog, self._database.tables).statement(ready, self._config.max_result_rows)

    def explain(self, plan: Plan) -> str:
        """The SQL that answers a plan."""
        return self._compile(plan)[0]

    async def health(self) -> Mapping[str, Any]:
        """State, path, bytes of the file and of its log, rows of every table."""
        return await asyncio.to_thread(self._health)

    def _health(self) -> Mapping[str, Any]:
        path = self._database.path
        sizes = {name: _size(Path(path + ending)) for name, ending in (("bytes", ""), ("log_bytes", ".wal"))}
        about = {"path": path, "duckdb": duckdb.__version__, **sizes}
        try:
            with self._database.cursor() as cursor:
                rows = {
                    name: cursor.execute(f"SELECT count(*) FROM {table_sql(name)}").fetchall()[0][0]
                    for name in sorted(self._database.tables)
                    if not name.startswith("metaflow.")
                }
        except (StorageError, duckdb.Error) as error:
            return {"state": "failed", "reason": str(error), **about}
        return {"state": "ok", **about, "tables": {name: {"rows": count} for name, count in rows.items()}}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _typed(answer: pa.Table, relation: Relation) -> pa.Table:
    """The answer under the plan's names and types; columns of the catalogue carry its metadata."""
    arrays, fields = [], []
    for (name, value), array in zip(relation.columns.items(), answer.columns, strict=False):
        arrays.append(restore(array, value.type))
        metadata = arrow_field(value.column).metadata if value.column is not None else None
        fields.append(pa.field(name, arrays[-1].type, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
