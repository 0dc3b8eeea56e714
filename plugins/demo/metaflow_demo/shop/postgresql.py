"""PostgreSQL's protocol 3 on sockets: a client of simple queries, for a server that trusts whoever comes."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping
from typing import BinaryIO

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.context import comment
from metaflow_demo.shop.plan import Spot
from metaflow_demo.shop.pool import Pool, connect

__all__ = ["PAYMENTS", "Connection", "Ledger", "LedgerError"]

PAYMENTS = "CREATE TABLE payment (id INTEGER, amount INTEGER)"


class LedgerError(Exception):
    """The server refused."""


class Connection:
    """One connection.

    :param stream: connected. :param reader: what comes from it. :raises LedgerError: the server does not let ``shop`` in. :raises OSError: it is gone.
    """

    def __init__(self, stream: socket.socket, reader: BinaryIO) -> None:
        self._stream = stream
        self._reader = reader
        words = b"user\0shop\0database\0postgres\0application_name\0payments\0\0"
        stream.sendall(struct.pack(">II", len(words) + 8, 196_608) + words)
        self._until_ready()

    def ask(self, statement: str) -> None:
        """Run a statement; rows are left out.

        :raises LedgerError: it refused.
        """
        text = statement.encode() + b"\0"
        self._stream.sendall(b"Q" + struct.pack(">I", len(text) + 4) + text)
        self._until_ready()

    def close(self) -> None:
        """Say goodbye."""
        with contextlib.suppress(OSError):
            self._stream.sendall(b"X\0\0\0\4")
        self._stream.close()

    def _until_ready(self) -> None:
        error = ""
        while True:
            head = self._reader.read(5)
            if len(head) < 5:
                raise ConnectionError(f"PostgreSQL closed the connection {error}")
            kind, size = struct.unpack(">cI", head)
            body = self._reader.read(size - 4)
            if kind == b"E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                error = fields.get(b"M", "refused")
                if fields.get(b"S") == "FATAL":
                    raise LedgerError(error)
            elif kind == b"Z":
                break
        if error:
            raise LedgerError(error)


class Ledger:
    """Connections that are used again; any thread may ask."""

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._pool = Pool(lambda: Connection(*connect(client[1], server)))

    def ask(self, statement: str, headers: Mapping[str, str]) -> None:
        """Run a statement.

        :param headers: of the request that it is for; what they say of the trace goes into a comment.
        :raises LedgerError: the server refused.
        """
        error: LedgerError | None = None
        with self._pool.one() as connection:
            try:
                connection.ask(statement + comment(headers))
            except LedgerError as wrong:
                error = wrong
        self._log.add(
            kind="postgresql",
            client=self._client[0],
            server=str(self._server),
            request=statement.split(" ", 1)[0],
            ok=error is None,
        )
        if error is not None:
            raise error
