"""HTTP/1.1 on asyncio: as much as the shop needs, with connections that stay open."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.plan import Spot

__all__ = ["Caller", "Handler", "serve"]

Handler = Callable[[str, str, dict[str, str]], Awaitable[tuple[int, Any]]]
"""``await handler(method, path, headers)`` gives status and a JSON value."""

_REASONS = {200: "OK", 201: "Created", 404: "Not Found", 500: "Internal Server Error", 502: "Bad Gateway"}


async def serve(spot: Spot, handler: Handler) -> None:
    """Answer until cancelled."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (head := await _head(reader)) is not None:
                (method, path, *_), headers = head[0].split(" "), head[1]
                await reader.readexactly(int(headers.get("content-length", "0")))
                try:
                    status, value = await handler(method, path, headers)
                except Exception as error:  # noqa: BLE001 - a page that fails is a page with status 500
                    status, value = 500, {"error": str(error)}
                body = json.dumps(value).encode()
                writer.write(
                    f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, spot.host, spot.port, backlog=512)
    async with server:
        await server.serve_forever()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    return first, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Caller:
    """Calls of one client to one server, over connections that are used again.

    :param client: name and address of who calls.
    """

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot, host: str) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._host = host
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, Any]:
        """Status and JSON value of the answer.

        :raises OSError: the server is not there.
        """
        reader, writer = await self._connection()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"User-Agent: {self._client[0]}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = await _head(reader)
        if answer is None:
            raise ConnectionError(f"{self._server} closed the connection")
        status = int(answer[0].split(" ")[1])
        value = json.loads(await reader.readexactly(int(answer[1]["content-length"])))
        self._idle.append((reader, writer))
        self._log.add(
            kind="http", client=self._client[0], server=str(self._server), request=f"{method} {path}", status=status,
            ok=status < 400,
        )  # fmt: skip
        return status, value

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle:
            return self._idle.pop()
        return await asyncio.open_connection(self._server.host, self._server.port, local_addr=(self._client[1], 0))
