"""One connection of the native protocol: clickhouse-driver's hello, TLS, compression and packets; blocks pass as Arrow and as bytes.

The driver's own columns are Python objects a value; neither our inserts, which are blocks already, nor our answers, which become Arrow, need
them.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from clickhouse_driver import errors as driver_errors
from clickhouse_driver.block import BlockInfo, RowOrientedBlock
from clickhouse_driver.connection import Connection
from clickhouse_driver.protocol import ServerPacketTypes
from clickhouse_driver.varint import read_varint

from metaflow_storage_clickhouse.engines.tcp.decode import read_block
from metaflow_storage_clickhouse.engines.urls import Endpoint, Server
from metaflow_storage_clickhouse.errors import ClickHouseError

__all__ = ["Wire"]

_REVISION = 54450
"""Of the protocol, that we say we speak: settings as texts, and before blocks carry packed columns (54454) and events come beside rows (54451).
A server speaks the lower of its own and this one, so old and new ones do."""
_BLOCK_INFO = 51_903
_PIECE = 1 << 20
_CLIENT = {
    "quota_key": "",
    "server_side_params": False,
    "use_numpy": False,
    "strings_as_bytes": False,
    "opentelemetry_traceparent": None,
    "opentelemetry_tracestate": "",
}


class _Blocks:
    """Reads blocks in place of the driver's reader."""

    def __init__(self, source: Any, connection: Connection) -> None:
        self._source = source
        self._connection = connection

    def read(self, use_numpy: bool | None = None) -> pa.RecordBatch:
        if self._connection.server_info.used_revision >= _BLOCK_INFO:
            BlockInfo().read(self._source)
        zone = str(self._connection.server_info.get_timezone() or "UTC")
        return read_block(self._source, lambda: int(read_varint(self._source)), zone)


class _Connection(Connection):  # type: ignore[misc] # the driver has no types
    """The driver's connection with our blocks, and certificates looked for where the system keeps them."""

    def __init__(self, endpoint: Endpoint, server: Server, timeout_s: float) -> None:
        super().__init__(
            endpoint.host,
            endpoint.port,
            database=server.database,
            user=server.user,
            password=server.password,
            client_name="metaflow",
            secure=server.secure,
            verify=server.verify,
            compression=server.compression or False,
            send_receive_timeout=timeout_s,
            client_revision=_REVISION,
            disable_reconnect=True,
        )
        self._ca = server.ca
        self.context.settings = {}
        self.context.client_settings = _CLIENT

    def _create_ssl_context(self, _: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca or None)
        if not self.verify_cert:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def get_block_in_stream(self) -> _Blocks:
        return _Blocks(super().get_block_in_stream().fin, self)

    def send_raw(self, block: Sequence[bytes | memoryview]) -> None:
        """A block that is encoded already."""
        from clickhouse_driver.protocol import ClientPacketTypes
        from clickhouse_driver.varint import write_varint
        from clickhouse_driver.writer import write_binary_str

        write_varint(ClientPacketTypes.DATA, self.fout)
        write_binary_str("", self.fout)
        if self.server_info.used_revision >= _BLOCK_INFO:
            BlockInfo().write(self.block_out.fout)
        for piece in block:
            for at in range(0, len(piece), _PIECE):
                self.block_out.fout.write(bytes(piece[at : at + _PIECE]))
        self.block_out.finalize()


class Wire:
    """A connection; one statement at a time, from one thread, but for :meth:`cancel`.

    After any error it is closed: what of an answer is still on its way would be read as the next one's.

    :raises OSError: the server cannot be reached. :raises ClickHouseError: it refuses us, or is no ClickHouse.
    """

    def __init__(self, endpoint: Endpoint, server: Server, timeout_s: float) -> None:
        self.endpoint = endpoint
        self._connection = _Connection(endpoint, server, timeout_s)
        self._writing = threading.Lock()
        self.cancelled = False
        self.used = time.monotonic()
        self.sent = False
        with _told(endpoint):
            self._connection.connect()

    @property
    def alive(self) -> bool:
        """Whether the server still answers; asked of it when the connection was not used for a while."""
        if time.monotonic() - self.used < 0.2:
            return True
        try:
            return bool(self._connection.ping())
        except (driver_errors.Error, OSError, EOFError):
            return False

    def blocks(self, sql: str, settings: Mapping[str, Any], query_id: str) -> Iterator[pa.RecordBatch]:
        """The blocks of an answer, the first without rows."""
        self.sent = False
        with _told(self.endpoint):
            self._ask(sql, settings, query_id)
            while True:
                packet = self._connection.receive_packet()
                if packet.type == ServerPacketTypes.DATA:
                    yield packet.block
                elif self._ended(packet):
                    return

    def insert(
        self, statement: str, settings: Mapping[str, Any], blocks: Sequence[Sequence[bytes | memoryview]]
    ) -> None:
        """An INSERT with its blocks; :attr:`sent` tells afterwards whether any of them left here."""
        self.sent = False
        with _told(self.endpoint):
            self._ask(statement, settings, "")
            while (packet := self._connection.receive_packet()).type != ServerPacketTypes.DATA:
                if packet.type == ServerPacketTypes.EXCEPTION:
                    raise packet.exception
            self.sent = True
            for block in blocks:
                self._connection.send_raw(block)
            self._connection.send_data(RowOrientedBlock())
            while not self._ended(self._connection.receive_packet()):
                pass

    def _ask(self, sql: str, settings: Mapping[str, Any], query_id: str) -> None:
        self._connection.context.settings = dict(settings)
        with self._writing:
            if self.cancelled:
                raise ClickHouseError("the query was cancelled", 394)
            self._connection.send_query(sql, query_id=query_id)
            self._connection.send_data(RowOrientedBlock())

    def _ended(self, packet: Any) -> bool:
        if packet.type == ServerPacketTypes.EXCEPTION:
            raise packet.exception
        if packet.type != ServerPacketTypes.END_OF_STREAM:
            return False
        self.used = time.monotonic()
        if self.cancelled:
            # A server that is told to stop ends the answer as if it were whole.
            raise ClickHouseError("the query was cancelled", 394)
        return True

    def cancel(self) -> None:
        """Tell the server to stop; the answer then ends with an error. From any thread."""
        with self._writing:
            self.cancelled = True
            if self._connection.connected:
                try:
                    self._connection.send_cancel()
                except (OSError, AttributeError):
                    # It ended meanwhile.
                    return

    def close(self) -> None:
        """Close it."""
        self._connection.disconnect()


class _told:  # noqa: N801 - reads as a statement
    """The driver's errors as ours."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, driver_errors.ServerException):
            message = str(error.message).partition("Stack trace:")[0].strip().removesuffix(".")
            raise ClickHouseError(message.removeprefix("DB::Exception: "), int(error.code)) from error
        if isinstance(error, driver_errors.NetworkError):
            raise ConnectionError(str(error.message) or "no answer") from error
        if isinstance(
            error, driver_errors.UnexpectedPacketFromServerError | driver_errors.UnknownPacketFromServerError
        ):
            raise ClickHouseError(
                f"{self._endpoint} does not speak ClickHouse's native protocol ({error.message}); its port is 9000, or 9440 with TLS",
                0,
                definite=True,
            ) from error
        if isinstance(error, driver_errors.Error):
            raise ClickHouseError(f"{self._endpoint}: {error.message}", 0) from error
        if isinstance(error, EOFError):
            raise ConnectionError("the server closed the connection") from error
