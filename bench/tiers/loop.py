"""The same tier on one event loop: all requests in one thread, and those behind it asked all at once.

python loop.py TRUTH HEADERS [HOST:PORT ...]
"""

from __future__ import annotations

import asyncio
import os
import sys

TRUTH = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
HEADERS, BEHIND = sys.argv[2], sys.argv[3:]


def child_of(parent: str) -> str:
    """A new id, told to the file of truth before it is used."""
    child = f"id-{os.urandom(6).hex()}"
    os.write(TRUTH, f"{parent} {child}\n".encode())
    return child


def passed_on(headers: dict[str, str]) -> str:
    """Headers for the next tier."""
    if HEADERS == "b3" and "x-b3-traceid" in headers:
        above, span = headers["x-b3-spanid"], os.urandom(8).hex()
        return f"X-B3-TraceId: {headers['x-b3-traceid']}\r\nX-B3-SpanId: {span}\r\nX-B3-ParentSpanId: {above}\r\n"
    return ""


async def head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Start line and headers."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = text.split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def ask(place: str, child: str, extra: str) -> None:
    """One call on a connection of its own."""
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /{child} HTTP/1.1\r\nHost: behind\r\n{extra}\r\n".encode())
    _, headers = await head(reader)
    await reader.readexactly(int(headers["content-length"]))
    writer.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request of a connection."""
    try:
        while True:
            first, headers = await head(reader)
            parent = first.split(" ")[1][1:]
            await asyncio.gather(*(ask(place, child_of(parent), passed_on(headers)) for place in BEHIND))
            await asyncio.sleep(0.001)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Listen."""
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "0"))
    server = await asyncio.start_server(serve, host, port, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
