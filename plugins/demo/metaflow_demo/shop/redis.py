"""Redis' protocol (RESP2): a client on sockets, and a server on asyncio for machines without Redis."""

from __future__ import annotations

import asyncio
import contextlib
from typing import BinaryIO

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.plan import Spot
from metaflow_demo.shop.pool import Pool, connect

__all__ = ["RedisClient", "RedisError", "serve_redis"]

_WRONG = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"


class RedisError(Exception):
    """The server answered with an error."""


class RedisClient:
    """Connections that are used again; any thread may call."""

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._pool = Pool(lambda: connect(client[1], server))

    def call(self, *words: str) -> str | int | None:
        """The answer.

        :raises RedisError: the server refused.
        """
        with self._pool.one() as (connection, reader):
            connection.sendall(_array(words))
            line = reader.readline().rstrip(b"\r\n")
            value = _value(reader, line)
        failed = line[:1] == b"-"
        self._log.add(kind="redis", client=self._client[0], server=str(self._server), request=words[0], ok=not failed)
        if failed:
            raise RedisError(line[1:].decode())
        return value


def _array(words: tuple[str, ...]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _value(reader: BinaryIO, line: bytes) -> str | int | None:
    mark, rest = line[:1], line[1:]
    if mark == b":":
        return int(rest)
    if mark == b"$":
        size = int(rest)
        return None if size < 0 else reader.read(size + 2)[:-2].decode()
    return rest.decode()


async def serve_redis(spot: Spot) -> None:
    """A store with GET, SET (EX is taken and never expires), INCR, LPUSH and PING."""
    values: dict[str, str] = {}

    def answer(words: list[str]) -> bytes:
        match [words[0].upper(), *words[1:]]:
            case ["PING"]:
                return b"+PONG\r\n"
            case ["GET", key]:
                found = values.get(key)
                return b"$-1\r\n" if found is None else b"$%d\r\n%b\r\n" % (len(found.encode()), found.encode())
            case ["SET", key, value, *_]:
                values[key] = value
                return b"+OK\r\n"
            case ["INCR", key]:
                values[key] = str(int(values.get(key, "0")) + 1)
                return b":%d\r\n" % int(values[key])
            case ["LPUSH", key, *_]:
                return _WRONG if key in values else b":1\r\n"
        return b"-ERR unknown command\r\n"

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2].decode())
                writer.write(answer(words))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, spot.host, spot.port)
    async with server:
        await server.serve_forever()
