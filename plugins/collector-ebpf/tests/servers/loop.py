"""An asyncio web server that asks a backend for each request: loop.py PORT [--backend PORT] [--tls KEY CERT]."""

import argparse
import asyncio
import ssl

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--backend", type=int, default=0)
parser.add_argument("--tls", nargs=2)
options = parser.parse_args()


async def ask(path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", options.backend)
    writer.write(f"GET /for{path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n\r\n", 1)[-1]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            body = await ask(path) if options.backend else b"from " + path.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls[1], options.tls[0])
    server = await asyncio.start_server(serve, "127.0.0.1", options.port, ssl=context)
    await server.serve_forever()


asyncio.run(main())
