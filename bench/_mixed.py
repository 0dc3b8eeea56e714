"""What it costs to find out which protocol a connection speaks: mixed traffic through an engine with every parser, and with the right one.

The traffic: the conversations of all captures at once, interleaved, each service on an address and an unusual port of its own, so
that no port tells its protocol; beside them connections that are no protocol of ours (noise, frames behind lengths, lines of text), a
quarter of all packets. Measured is the CPU time of one process, the ways in turn, the least of several rounds.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metaflow_engine_flow import NativeEngine
from metaflow_engine_flow.parser_library import load as load_native

from bench._segments import Segment
from metaflow_core.api import BlockFormat, PacketBlock, ParserDescription, ParserFactory

Ends = tuple[tuple[bytes, int], tuple[bytes, int]]

FIRST_PORT = 21_000
BLOCK = 1 << 20
# Microseconds from packet to packet: 5,000 packets a second. What a flow taught of its service counts a second later.
GAP_US = 200


@dataclass(frozen=True, slots=True)
class Service:
    """A protocol's conversations as they come from one capture."""

    parser: str
    found: list[Segment]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of both kinds of traffic with every parser, and with what was known beforehand."""

    known: float
    pinned: float
    unknown: float
    without: float
    exchanges: int
    exchanges_pinned: int
    packets: int

    def __str__(self) -> str:
        every, right = self.known + self.unknown, self.pinned + self.without
        micro = 1e6 / self.packets
        return (
            f"mixed traffic, {self.packets} packets: {every * micro:.2f} us a packet with every parser and no usual port, "
            f"{right * micro:.2f} with the right parser given by port and none for unknown traffic: finding out is "
            f"{100 * (every - right) / every:.1f} % of the whole (known protocols {100 * (1 - self.pinned / self.known):.1f} %); "
            f"{self.exchanges} exchanges, {self.exchanges_pinned} with the parser given"
        )


def cost(services: Sequence[Service], factories: dict[str, ParserFactory], rounds: int = 9) -> Cost:
    """Measure; the captures are played often enough for about a hundred thousand packets."""
    known, unknown = known_traffic(services, 60_000), unknown_traffic(20_000)
    ports: dict[str, list[int]] = {}
    for number, service in enumerate(services):
        ports.setdefault(service.parser, []).append(FIRST_PORT + number)
    every = {name: factory.description for name, factory in factories.items()}
    pinned = {name: replace(each, ports=tuple(ports.get(name, ()))) for name, each in every.items()}
    runs: list[tuple[Callable[[], Any], bytes]] = [
        (lambda: _engine(factories, every), known),
        (lambda: _engine(factories, pinned), known),
        (lambda: _engine(factories, every), unknown),
        (lambda: _engine({}, {}), unknown),
    ]
    best, exchanges = [float("inf")] * len(runs), [0] * len(runs)
    packets = 0
    for turn in range(rounds):
        # Forth and back, so that what slows the machine down meets all of them.
        for index, (make, traffic) in list(enumerate(runs))[:: 1 - turn % 2 * 2]:
            engine = make()
            before = time.process_time()
            pushed, exchanges[index] = _play(engine, traffic)
            best[index] = min(best[index], time.process_time() - before)
            packets += pushed
    return Cost(best[0], best[1], best[2], best[3], exchanges[0], exchanges[1], packets // rounds // 2)


def _engine(factories: dict[str, ParserFactory], descriptions: dict[str, ParserDescription]) -> Any:
    engine: Any = NativeEngine({})
    for name, factory in factories.items():
        assert factory.native is not None
        engine.add_parser(descriptions[name], load_native(factory.native, {}, factory.limits)())
    return engine


def _play(engine: Any, traffic: bytes) -> tuple[int, int]:
    """Packets and exchanges of a capture that is in memory."""
    packets = exchanges = 0

    def take(at_least: int) -> int:
        rows = (rows for name, rows in engine.tables(at_least) if name == "l7_flow_log")
        return sum(len(each.column("type")) for each in rows)

    for at in range(24, len(traffic), BLOCK):
        packets += engine.push(PacketBlock(traffic[at : at + BLOCK], BlockFormat.PCAP, 1))
        exchanges += take(4096)
    engine.finish()
    return packets, exchanges + take(1)


def known_traffic(services: Sequence[Service], at_least: int) -> bytes:
    """All conversations again and again, interleaved segment by segment, as a capture."""
    per_round = sum(len(service.found) for service in services)
    frames: list[bytes] = []
    for turn in range(-(-at_least // per_round)):
        streams = [_frames(service, number, turn) for number, service in enumerate(services)]
        frames.extend(_interleaved(streams))
    return _pcap(frames)


def unknown_traffic(at_least: int) -> bytes:
    """Connections of forty messages each that no parser knows, to thirty services."""
    noise = random.Random(7)
    frames: list[bytes] = []
    connection = 0
    while len(frames) < at_least:
        streams = []
        for kind in range(30):
            connection += 1
            found = [
                Segment(connection, message % 2, 0, 0, FIRST_PORT + 500 + kind, _message(kind % 3, message, noise))
                for message in range(40)
            ]
            streams.append(
                _conversation(
                    found,
                    server=bytes((10, 9, 9, kind + 1)),
                    client=_client(connection),
                    port=20_000 + connection % 40_000,
                )
            )
        frames.extend(_interleaved(streams))
    return _pcap(frames)


def _message(kind: int, number: int, noise: random.Random) -> bytes:
    body = noise.randbytes(noise.randrange(40, 400))
    if kind == 0:
        return body
    if kind == 1:
        return struct.pack(">IBB", len(body) + 2, 0x9F, number) + body
    return f"<{number}> unit={noise.randrange(99)} state=ok value={noise.randrange(1 << 30)}\r\n".encode()


def _client(number: int) -> bytes:
    return bytes((10, 1 + (number >> 16 & 63), number >> 8 & 255, number & 255))


def _frames(service: Service, number: int, turn: int) -> Iterator[bytes]:
    connections = 1 + max(each.connection for each in service.found)
    server = bytes((10, 0, number + 1, 1))
    for connection in range(connections):
        found = [replace(each, port=FIRST_PORT + number) for each in service.found if each.connection == connection]
        if found:
            client = bytes((10, 64 + number, turn >> 8 & 255, turn & 255))
            yield from _conversation(found, server, client, 30_000 + connection)


def _conversation(found: list[Segment], server: bytes, client: bytes, port: int) -> Iterator[bytes]:
    """A connection from its first to its last packet, or its datagrams."""
    ends = ((client, port), (server, found[0].port))
    if found[0].transport == 17:
        for each in found:
            yield _ip(ends, each.direction, 17, struct.pack(">HH", 8 + len(each.payload), 0) + each.payload)
        return
    at = [1000, 5000]
    yield _tcp(ends, 0, at[0] - 1, 0, 0x02, b"")
    yield _tcp(ends, 1, at[1] - 1, at[0], 0x12, b"")
    for each in found:
        for start in range(0, len(each.payload), 60_000):
            piece = each.payload[start : start + 60_000]
            yield _tcp(ends, each.direction, at[each.direction], at[1 - each.direction], 0x18, piece)
            at[each.direction] += len(piece)
    yield _tcp(ends, 0, at[0], at[1], 0x11, b"")
    yield _tcp(ends, 1, at[1], at[0] + 1, 0x11, b"")


def _tcp(ends: Ends, direction: int, sequence: int, acknowledged: int, flags: int, payload: bytes) -> bytes:
    head = struct.pack(">IIBBHHH", sequence, acknowledged, 0x50, flags, 65_000, 0, 0)
    return _ip(ends, direction, 6, head + payload)


def _ip(ends: Ends, direction: int, transport: int, rest: bytes) -> bytes:
    (source, source_port), (target, target_port) = ends if direction == 0 else ends[::-1]
    body = struct.pack(">HH", source_port, target_port) + rest
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, transport, 0) + source + target
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + head + body


def _interleaved(streams: Sequence[Iterator[bytes]]) -> Iterator[bytes]:
    """One of each in turn until all have ended."""
    waiting = [iter(stream) for stream in streams]
    while waiting:
        still = []
        for stream in waiting:
            frame = next(stream, None)
            if frame is not None:
                yield frame
                still.append(stream)
        waiting = still


def _pcap(frames: Sequence[bytes]) -> bytes:
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)]
    for number, frame in enumerate(frames):
        seconds, microseconds = divmod(number * GAP_US, 1_000_000)
        parts.append(struct.pack("<IIII", 1_700_000_000 + seconds, microseconds, len(frame), len(frame)) + frame)
    return b"".join(parts)
