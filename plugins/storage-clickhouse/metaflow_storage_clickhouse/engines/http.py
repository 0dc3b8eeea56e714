"""A ClickHouse server over HTTP, through clickhouse-connect; several endpoints with fail-over."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from metaflow_core.errors import UnavailableError
from metaflow_storage_clickhouse.engines.base import Insert, Settings
from metaflow_storage_clickhouse.engines.endpoints import Endpoints, unusable
from metaflow_storage_clickhouse.engines.urls import Endpoint, Server
from metaflow_storage_clickhouse.errors import ClickHouseError, too_long
from metaflow_storage_clickhouse.sql.quote import text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HttpEngine"]

_Result = TypeVar("_Result")
_FORMAT = {
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
}


class HttpEngine:
    """Statements go to one endpoint as long as it answers, then to the next.

    A statement that reads, or that bears being run twice, is tried at every endpoint. An insert goes to another endpoint only when it
    certainly never arrived; what became of it otherwise is found out by the writer when the batch is sent again.
    """

    def __init__(self, server: Server, *, timeout_s: float = 300.0) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._clients: dict[Endpoint, Any] = {}
        self._endpoints = Endpoints(server.endpoints)
        self._lock = threading.Lock()
        self._open = False

    @property
    def place(self) -> str:
        """The endpoint in use."""
        return f"clickhouse://{self._endpoints.current}"

    def open(self) -> None:
        """Reach one endpoint.

        :raises StartError: none answers, or the password is wrong. :raises UnavailableError: clickhouse-connect is not installed.
        """
        self._open = True
        try:
            self.command("SELECT 1")
        except ImportError as error:
            raise UnavailableError(
                f"clickhouse-connect cannot be loaded ({error}); pip install clickhouse-connect"
            ) from error
        except ClickHouseError as error:
            self.close()
            raise unusable(self._server, error) from error

    def close(self) -> None:
        """Close all connections."""
        self._open = False
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            with contextlib.suppress(Exception):
                client.close()

    def query(self, sql: str, settings: Settings | None = None, query_id: str = "") -> pa.Table:
        """Rows of a SELECT. The server keeps its answer until it is whole: an error never comes in the middle of rows."""
        import pyarrow as pa

        options = {**_FORMAT, **(settings or {}), "wait_end_of_query": 1}
        if query_id:
            options["query_id"] = query_id
        data = self._anywhere(lambda client: client.raw_query(sql, settings=options, fmt="ArrowStream"))
        if not data:
            return pa.table({})
        try:
            return pa.ipc.open_stream(io.BytesIO(data)).read_all()
        except pa.ArrowException as error:
            raise ClickHouseError(f"the answer of {self.place} is no Arrow stream: {error}") from error

    def fetch(self, sql: str, form: str, settings: Settings | None, query_id: str, max_bytes: int) -> bytes:
        """Rows of a reading statement in one of ClickHouse's forms; the server's own limit of bytes is set, too."""
        options: dict[str, Any] = {**(settings or {}), "wait_end_of_query": 1}
        if query_id:
            options["query_id"] = query_id
        data: bytes = self._anywhere(lambda client: client.raw_query(sql, settings=options, fmt=form))
        if len(data) > max_bytes:
            raise too_long(max_bytes)
        return data

    def command(self, sql: str) -> None:
        """A statement without a result; all of ours bear being run twice."""
        self._anywhere(lambda client: client.raw_query(sql, settings={"wait_end_of_query": 1}))

    def insert(self, insert: Insert) -> None:
        """One INSERT of Native blocks."""
        statement = f"{insert.statement()} FORMAT Native"
        data = b"".join(chain.from_iterable(insert.blocks))
        # Not raw_insert, which the client may send again by itself when the answer is lost.
        self._endpoints.once(lambda endpoint: self._call(endpoint, lambda client: client.command(statement, data=data)))

    def kill(self, query_id: str) -> None:
        """Stop a query."""
        with contextlib.suppress(ClickHouseError):
            self.command(f"KILL QUERY WHERE query_id = {text(query_id)} ASYNC")

    def disk(self) -> Mapping[str, Any]:
        """Bytes of the server's disks."""
        rows = self.query(
            "SELECT toUInt64(sum(free_space)) AS f, toUInt64(sum(total_space)) AS t FROM system.disks"
        ).to_pylist()
        return {"disk_free_bytes": rows[0]["f"], "disk_total_bytes": rows[0]["t"]} if rows else {}

    def _call(self, endpoint: Endpoint, run: Callable[[Any], _Result]) -> _Result:
        """One statement at one endpoint; an endpoint that does not answer rests for some seconds."""
        from clickhouse_connect.driver.exceptions import ClickHouseError as DriverError

        if not self._open:
            raise ClickHouseError("the store is not open", 0, definite=True)
        reached = False
        try:
            client = self._client(endpoint)
            reached = True
            result = run(client)
        except (DriverError, OSError) as error:
            message = str(error)
            if "Code: " in message:
                raise ClickHouseError(message) from error
            self._endpoints.rest(endpoint)
            # Without a connection nothing was sent.
            unsent = not reached or "NewConnectionError" in message or "Connection refused" in message
            raise ClickHouseError(f"{endpoint}: {message.splitlines()[0]}", 0, definite=unsent) from error
        self._endpoints.use(endpoint)
        return result

    def _anywhere(self, run: Callable[[Any], _Result]) -> _Result:
        return self._endpoints.anywhere(lambda endpoint: self._call(endpoint, run))

    def _client(self, endpoint: Endpoint) -> Any:
        with self._lock:
            found = self._clients.get(endpoint)
        if found is not None:
            return found
        import clickhouse_connect

        made = clickhouse_connect.get_client(
            host=endpoint.host,
            port=endpoint.port,
            username=self._server.user,
            password=self._server.password,
            secure=self._server.secure,
            verify=self._server.verify,
            ca_cert=self._server.ca or None,
            database=self._server.database or "__default__",
            autogenerate_session_id=False,
            send_receive_timeout=self._timeout_s,
            query_retries=0,
            client_name="metaflow",
        )
        with self._lock:
            return self._clients.setdefault(endpoint, made)
