"""DNS over UDP: a server that knows the shop's names, and a client that asks for addresses."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.plan import Spot

__all__ = ["lookup", "serve_dns"]

_KNOWN = {"bank.shop.test": "10.0.0.7", "catalog.shop.test": "10.0.0.8"}
_NAME_ERROR = 3
_ids = itertools.count(1)


class _Server(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with contextlib.suppress(struct.error, IndexError, UnicodeDecodeError):
            self._transport.sendto(_answer(data), addr)


def _answer(data: bytes) -> bytes:
    (number,) = struct.unpack_from(">H", data)
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    question = data[12 : at + 5]
    address = _KNOWN.get(".".join(labels))
    code = 0 if address else _NAME_ERROR
    head = struct.pack(">HHHHHH", number, 0x8180 | code, 1, 1 if address else 0, 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if address else b""
    return head + question + record


async def serve_dns(spot: Spot) -> None:
    """Answer until cancelled."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Server, local_addr=(spot.host, spot.port))
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()


def lookup(log: CallLog, client: tuple[str, str], server: Spot, name: str) -> int:
    """Ask for an address; returns the response code (0 there is one, 3 there is no such name)."""
    query = struct.pack(">HHHHHH", next(_ids) & 0xFFFF, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\x01\0\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind((client[1], 0))
        sock.connect((server.host, server.port))
        sock.sendall(query)
        code = sock.recv(512)[3] & 15
    log.add(kind="dns", client=client[0], server=str(server), request=f"A {name}", status=code, ok=code == 0)
    return code
