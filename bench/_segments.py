"""TCP segments and datagrams of a small capture as batches of ``mf_abi_v1``, for measuring parsers without an engine around them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.api.wire import BatchBuilder

_CLIENT, _SERVER = 0, 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of one direction of a connection."""

    connection: int
    direction: int
    time_ns: int
    offset: int
    port: int
    payload: bytes
    transport: int = 6


def packets(file: Path) -> Iterator[tuple[int, bytes]]:
    """Capture time in nanoseconds and IPv4 packet of each Ethernet frame of a classic little-endian pcap file."""
    data = file.read_bytes()
    magic, link = struct.unpack_from("<I16xI", data)
    scale = 1 if magic == 0xA1B23C4D else 1000
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length = struct.unpack_from("<III", data, at)
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if link == 1 and frame[12:14] == b"\x08\x00":
            yield seconds * 1_000_000_000 + fraction * scale, frame[14:]


def segments(file: Path) -> list[Segment]:
    """The payloads of all connections whose first packet is in the capture, without what was sent twice."""
    known: dict[tuple[bytes, bytes], tuple[int, int, list[int | None]]] = {}
    found: list[Segment] = []
    for time_ns, packet in packets(file):
        if packet[9] == 17:
            found.append(_datagram(packet, time_ns, known))
        if packet[9] != 6:
            continue
        header = (packet[0] & 15) * 4
        tcp = packet[header : int.from_bytes(packet[2:4], "big")]
        source, target = packet[12:16] + tcp[0:2], packet[16:20] + tcp[2:4]
        sequence, flags, payload = int.from_bytes(tcp[4:8], "big"), tcp[13], tcp[(tcp[12] >> 4) * 4 :]
        if flags & 0x12 == 2:
            known[source, target] = (len(known), int.from_bytes(target[4:], "big"), [sequence + 1, None])
        side = _CLIENT if (source, target) in known else _SERVER
        entry = known.get((source, target) if side == _CLIENT else (target, source))
        if entry is None:
            continue
        connection, port, expected = entry
        if flags & 0x12 == 0x12:
            expected[_SERVER] = sequence + 1
        start = expected[side]
        if not payload or start is None or (sequence - start) & 0x8000_0000:
            continue
        base = known[(source, target) if side == _CLIENT else (target, source)][2][side]
        assert base is not None
        found.append(Segment(connection, side, time_ns, 0, port, payload))
        expected[side] = (sequence + len(payload)) & 0xFFFF_FFFF
    return _with_offsets(found)


def _datagram(
    packet: bytes, time_ns: int, known: dict[tuple[bytes, bytes], tuple[int, int, list[int | None]]]
) -> Segment:
    """Who sends first is the client."""
    udp = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big")]
    source, target = packet[12:16] + udp[0:2], packet[16:20] + udp[2:4]
    side = _SERVER if (target, source) in known else _CLIENT
    ends = (target, source) if side == _SERVER else (source, target)
    connection, port, _ = known.setdefault(ends, (len(known), int.from_bytes(ends[1][4:], "big"), [None, None]))
    return Segment(connection, side, time_ns, 0, port, udp[8:], 17)


def _with_offsets(found: list[Segment]) -> list[Segment]:
    offsets: dict[tuple[int, int], int] = {}
    placed = []
    for each in found:
        key = each.connection, each.direction
        offset = offsets.get(key, 0)
        offsets[key] = offset + len(each.payload)
        placed.append(
            Segment(each.connection, each.direction, each.time_ns, offset, each.port, each.payload, each.transport)
        )
    return placed


def batches(found: list[Segment], first_session: int, size: int = 256) -> Iterator[bytes]:
    """Batches of the segments, then one that closes every connection; sessions are numbered from ``first_session`` on."""
    for at in range(0, len(found), size):
        batch = BatchBuilder()
        for each in found[at : at + size]:
            batch.data(
                each.payload,
                session_id=first_session + each.connection,
                direction=each.direction,
                timestamp_ns=each.time_ns,
                stream_offset=each.offset,
                server_port=each.port,
                client_port=40_000,
                transport=each.transport,
            )
        yield batch.finish()
    batch = BatchBuilder()
    for connection in sorted({each.connection for each in found}):
        batch.close(session_id=first_session + connection, timestamp_ns=found[-1].time_ns)
    yield batch.finish()
