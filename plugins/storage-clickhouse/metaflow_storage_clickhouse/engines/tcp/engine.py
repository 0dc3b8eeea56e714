"""A ClickHouse server over its native protocol, through clickhouse-driver; several endpoints with fail-over."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from metaflow_core.errors import UnavailableError
from metaflow_storage_clickhouse.engines.base import Insert, Settings
from metaflow_storage_clickhouse.engines.endpoints import Endpoints, unusable
from metaflow_storage_clickhouse.engines.urls import Endpoint, Server
from metaflow_storage_clickhouse.errors import ClickHouseError, too_long

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_storage_clickhouse.engines.tcp.wire import Wire

__all__ = ["NativeEngine"]

_Result = TypeVar("_Result")
_FORMS = ("Arrow", "ArrowStream", "Parquet")
_KEPT = 16
"""Connections that wait for their next statement, by endpoint."""


class NativeEngine:
    """Statements over a few connections, each used by one thread at a time.

    An insert goes to another endpoint only when no block of it has left here; what became of it otherwise is found out by the writer
    when the batch is sent again.

    :param timeout_s: without a word from the server, which tells of its progress.
    """

    def __init__(self, server: Server, *, timeout_s: float = 300.0) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._endpoints = Endpoints(server.endpoints)
        self._idle: dict[Endpoint, deque[Wire]] = {each: deque(maxlen=_KEPT) for each in server.endpoints}
        self._running: dict[str, Wire] = {}
        self._lock = threading.Lock()
        self._open = False

    @property
    def place(self) -> str:
        """The endpoint in use."""
        return f"clickhouse+native://{self._endpoints.current}"

    def open(self) -> None:
        """Reach one endpoint.

        :raises StartError: none answers, or the password is wrong. :raises UnavailableError: clickhouse-driver, or what it compresses
            with, is not installed.
        """
        self._open = True
        try:
            self.command("SELECT 1")
        except (ImportError, RuntimeError) as error:
            raise UnavailableError(_lacks(error, self._server.compression)) from error
        except ClickHouseError as error:
            self.close()
            raise unusable(self._server, error) from error

    def close(self) -> None:
        """Close all connections."""
        self._open = False
        with self._lock:
            wires = [wire for idle in self._idle.values() for wire in idle] + list(self._running.values())
            for idle in self._idle.values():
                idle.clear()
        for wire in wires:
            wire.close()

    def query(self, sql: str, settings: Settings | None = None, query_id: str = "") -> pa.Table:
        """Rows of a SELECT."""
        return self._endpoints.anywhere(lambda endpoint: self._read(endpoint, sql, settings, query_id, None))

    def fetch(self, sql: str, form: str, settings: Settings | None, query_id: str, max_bytes: int) -> bytes:
        """Rows of a reading statement. What is sent are blocks, so there are only the forms that Arrow knows how to write.

        :raises ClickHouseError: another form was asked for.
        """
        if form not in _FORMS:
            raise ClickHouseError(
                f"the form {form} is not made over the native protocol, only {', '.join(_FORMS)}; ask for one of them, or have the "
                "storage use the HTTP port (clickhouse://host:8123)",
                73,
            )
        table = self._endpoints.anywhere(lambda endpoint: self._read(endpoint, sql, settings, query_id, max_bytes))
        return _written(table, form)

    def command(self, sql: str) -> None:
        """A statement without a result; all of ours bear being run twice."""
        self._endpoints.anywhere(lambda endpoint: self._read(endpoint, sql, None, "", None))

    def insert(self, insert: Insert) -> None:
        """One INSERT; each block is a packet."""
        # Settings go beside the statement: servers before 21 read none in it.
        statement = f"INSERT INTO {insert.table} ({', '.join(insert.columns)}) VALUES"
        self._endpoints.once(
            lambda endpoint: self._call(endpoint, lambda wire: wire.insert(statement, insert.settings, insert.blocks))
        )

    def kill(self, query_id: str) -> None:
        """Stop a query."""
        with self._lock:
            wire = self._running.get(query_id)
            # Told while it is known to run this query and no other.
            if wire is not None:
                wire.cancel()

    def disk(self) -> Mapping[str, Any]:
        """Bytes of the server's disks."""
        rows = self.query(
            "SELECT toUInt64(sum(free_space)) AS f, toUInt64(sum(total_space)) AS t FROM system.disks"
        ).to_pylist()
        return {"disk_free_bytes": rows[0]["f"], "disk_total_bytes": rows[0]["t"]} if rows else {}

    def _read(
        self, endpoint: Endpoint, sql: str, settings: Settings | None, query_id: str, max_bytes: int | None
    ) -> pa.Table:
        import pyarrow as pa

        def run(wire: Wire) -> pa.Table:
            kept: list[pa.RecordBatch] = []
            size = 0
            with self._marked(query_id, wire):
                for block in wire.blocks(sql, settings or {}, query_id):
                    if kept and block.num_rows and not kept[0].num_rows:
                        kept.clear()
                    if block.num_rows or not kept:
                        kept.append(block)
                    size += block.nbytes
                    if max_bytes is not None and size > max_bytes:
                        raise too_long(max_bytes)
            return pa.Table.from_batches(kept) if kept else pa.table({})

        return self._call(endpoint, run)

    @contextlib.contextmanager
    def _marked(self, query_id: str, wire: Wire) -> Iterator[None]:
        """While the query runs, it can be stopped."""
        if not query_id:
            yield
            return
        with self._lock:
            self._running[query_id] = wire
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(query_id, None)

    def _call(self, endpoint: Endpoint, run: Callable[[Wire], _Result]) -> _Result:
        """One statement at one endpoint; an endpoint that does not answer rests for some seconds.

        A connection that had waited may have been closed by the server meanwhile. What failed on one is tried on a new one, unless rows
        had left here.
        """
        while True:
            wire, is_new = None, True
            try:
                wire, is_new = self._take(endpoint)
                result = run(wire)
            except OSError as error:
                unsent = wire is None or not wire.sent
                if wire is not None:
                    wire.close()
                if unsent and not is_new:
                    continue
                self._endpoints.rest(endpoint)
                raise ClickHouseError(f"{endpoint}: {_first_line(error)}", 0, definite=unsent) from error
            except BaseException:
                if wire is not None:
                    wire.close()
                raise
            self._give_back(endpoint, wire)
            self._endpoints.use(endpoint)
            return result

    def _take(self, endpoint: Endpoint) -> tuple[Wire, bool]:
        """A connection, and whether it was made now."""
        from metaflow_storage_clickhouse.engines.tcp.wire import Wire

        if not self._open:
            raise ClickHouseError("the store is not open", 0, definite=True)
        while True:
            with self._lock:
                wire = self._idle[endpoint].pop() if self._idle[endpoint] else None
            if wire is None:
                return Wire(endpoint, self._server, self._timeout_s), True
            if wire.alive:
                return wire, False
            wire.close()

    def _give_back(self, endpoint: Endpoint, wire: Wire) -> None:
        with self._lock:
            if self._open and not wire.cancelled and len(self._idle[endpoint]) < _KEPT:
                self._idle[endpoint].append(wire)
                return
        wire.close()


def _first_line(error: OSError) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _lacks(error: Exception, compression: str) -> str:
    if compression:
        return (
            f"blocks cannot be compressed with {compression} ({error}); pip install 'clickhouse-driver[{compression.removesuffix('hc')}]', "
            "or leave compression out of the url"
        )
    return f"clickhouse-driver cannot be loaded ({error}); pip install clickhouse-driver"


def _written(table: pa.Table, form: str) -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    if form == "Parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, sink)
    else:
        make = pa.ipc.new_stream if form == "ArrowStream" else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table.unify_dictionaries())
    return sink.getvalue()
