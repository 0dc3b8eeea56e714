"""HTTP/1.1 on sockets and threads: as much as the shop needs, with connections that stay open.

A thread works on one request at a time, as in most of the world's services, so that the kernel's view alone tells what caused what.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.context import REQUEST_ID
from metaflow_demo.shop.plan import Spot
from metaflow_demo.shop.pool import Pool, connect

__all__ = ["Caller", "Handler", "serve"]

Handler = Callable[[str, str, dict[str, str]], tuple[int, Any]]
"""``handler(method, path, headers)`` gives status and a JSON value; the request id that it leaves in the headers goes back with the answer."""

_REASONS = {200: "OK", 201: "Created", 404: "Not Found", 500: "Internal Server Error", 502: "Bad Gateway"}


def serve(spot: Spot, handler: Handler) -> None:
    """Answer for ever, each connection on a thread of its own."""
    with socket.create_server((spot.host, spot.port), backlog=512) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_connection, args=(connection, handler), daemon=True).start()


def _connection(connection: socket.socket, handler: Handler) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
        while (head := _head(reader)) is not None:
            (method, path, *_), headers = head[0].split(" "), head[1]
            reader.read(int(headers.get("content-length", "0")))
            try:
                status, value = handler(method, path, headers)
            except Exception as error:  # noqa: BLE001 - a page that fails is a page with status 500
                status, value = 500, {"error": str(error)}
            body = json.dumps(value).encode()
            lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}", "Content-Type: application/json"]
            if headers.get(REQUEST_ID):
                lines.append(f"X-Request-ID: {headers[REQUEST_ID]}")
            lines.append(f"Content-Length: {len(body)}")
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def _head(reader: BinaryIO) -> tuple[str, dict[str, str]] | None:
    first = reader.readline(65_536)
    if not first.endswith(b"\r\n"):
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline(65_536)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return first.decode("latin-1").rstrip("\r\n"), headers


class Caller:
    """Calls of one client to one server, over connections that are used again. Any thread may call.

    :param client: name and address of who calls.
    """

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot, host: str) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._host = host
        self._pool = Pool(lambda: connect(client[1], server))

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, Any]:
        """Status and JSON value of the answer.

        :raises OSError: the server is not there.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"User-Agent: {self._client[0]}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._pool.one() as (connection, reader):
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            answer = _head(reader)
            if answer is None:
                raise ConnectionError(f"{self._server} closed the connection")
            value = json.loads(reader.read(int(answer[1]["content-length"])))
        status = int(answer[0].split(" ")[1])
        self._log.add(
            kind="http", client=self._client[0], server=str(self._server), request=f"{method} {path}", status=status,
            ok=status < 400,
        )  # fmt: skip
        return status, value
