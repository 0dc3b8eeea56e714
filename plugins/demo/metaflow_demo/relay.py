"""``python -m metaflow_demo.relay SOCKET PORT [listen]``: a way into a network namespace through a socket in the file system.

With ``listen``: takes connections on 127.0.0.1:PORT and carries them to SOCKET. Without: takes them at SOCKET and carries them to
127.0.0.1:PORT, here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

__all__ = ["relay"]


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


async def relay(path: str, port: int, *, listen: bool) -> None:
    """Carry until cancelled."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if listen:
                far = await asyncio.open_unix_connection(path)
            else:
                far = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, far[1]), _carry(far[0], writer))
        for each in (writer, far[1]):
            each.close()

    if listen:
        server = await asyncio.start_server(connection, "127.0.0.1", port)
    else:
        server = await asyncio.start_unix_server(connection, path)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(relay(sys.argv[1], int(sys.argv[2]), listen=sys.argv[3:] == ["listen"]))
