"""The same tier on one event loop, which serves all requests in one thread, and asks those behind it all at once.

python atier.py HEADERS [PORT ...]
"""

from __future__ import annotations

import asyncio
import os
import sys

HEADERS, BEHIND = sys.argv[1], [int(port) for port in sys.argv[2:]]


def passed_on(headers: dict[str, str]) -> str:
    """Headers for the next tier."""
    span = os.urandom(8).hex()
    if HEADERS == "traceparent" and "traceparent" in headers:
        version, trace, _, flags = headers["traceparent"].split("-")
        return f"traceparent: {version}-{trace}-{span}-{flags}\r\n"
    if HEADERS == "b3" and "x-b3-traceid" in headers:
        parent = headers["x-b3-spanid"]
        return f"X-B3-TraceId: {headers['x-b3-traceid']}\r\nX-B3-SpanId: {span}\r\nX-B3-ParentSpanId: {parent}\r\n"
    if HEADERS == "x-request-id" and "x-request-id" in headers:
        return f"X-Request-ID: {headers['x-request-id']}\r\n"
    return ""


async def head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Start line and headers."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = text.split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def ask(port: int, path: str, extra: str) -> bytes:
    """One call on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: behind\r\n{extra}\r\n".encode())
    _, headers = await head(reader)
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request of a connection."""
    try:
        while True:
            first, headers = await head(reader)
            path = first.split(" ")[1]
            said = await asyncio.gather(*(ask(port, path, passed_on(headers)) for port in BEHIND))
            await asyncio.sleep(0.001)
            body = b"+".join(said) or b"leaf"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Listen."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
