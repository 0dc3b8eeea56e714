"""Playing a capture to a module: a small reader for author's tests, not the engine.

Classic pcap (both byte orders, micro- and nanoseconds), Ethernet with VLANs or raw IP, IPv4, TCP. Segments go to the parser in the
order of capture with their place in the stream, so what came out of order counts as lost here; ``mflow read`` does it right.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.api import ParserFault, ParserRuntime, abi
from metaflow_core.api.wire import BatchBuilder, SegmentFlag, Verdict, read_checks, read_records
from metaflow_core.errors import InputError, ParseError

__all__ = ["Outcome", "play_capture"]

_ORDERS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_ETHERNET, _RAW_LINKS = 1, frozenset({12, 14, 101})
_VLANS = frozenset({0x8100, 0x88A8})
_BATCH = 256


@dataclass(slots=True)
class Outcome:
    """What a capture gave: TCP connections, those the parser took, records by type, batches lost with their reason."""

    connections: int
    accepted: int
    records: Counter[str]
    faults: Counter[str]


@dataclass(slots=True)
class _Flow:
    number: int
    client: bytes
    accepted: bool | None
    mid_stream: bool
    starts: dict[int, int]


def _packets(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Time in nanoseconds, the IP packet, and how many of its bytes the capture cut off."""
    data = path.read_bytes()
    known = _ORDERS.get(data[:4])
    if known is None or len(data) < 24:
        raise InputError(f"{path}: this is not a classic pcap file; convert it with: editcap -F pcap IN OUT")
    order, scale = known
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    if link != _ETHERNET and link not in _RAW_LINKS:
        raise InputError(f"{path}: link type {link} is not read here; Ethernet and raw IP are")
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, size, wire = struct.unpack_from(order + "IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        start = 0
        if link == _ETHERNET:
            start, kind = 14, int.from_bytes(frame[12:14])
            while kind in _VLANS:
                kind = int.from_bytes(frame[start + 2 : start + 4])
                start += 4
            if kind != 0x0800:
                continue
        yield seconds * 1_000_000_000 + fraction * scale, frame[start:], max(0, wire - size)


def play_capture(path: Path, runtime: ParserRuntime) -> Outcome:
    """Show every TCP connection of a capture to the parser: check its first payload, then parse it all.

    :raises InputError: the file cannot be read here.
    """
    flows: dict[bytes, _Flow] = {}
    outcome = Outcome(0, 0, Counter(), Counter())
    batch = BatchBuilder()
    for time, packet, cut in _packets(path):
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != abi.TRANSPORT_TCP or packet[6] & 0x3F or packet[7]:
            continue
        tcp = packet[(packet[0] & 15) * 4 :]
        if len(tcp) < 20:
            continue
        source, target = packet[12:16] + tcp[0:2], packet[16:20] + tcp[2:4]
        key = min(source, target) + max(source, target)
        flags = tcp[13]
        flow = flows.get(key)
        if flow is None or (flags & 0x12 == 0x02 and flow.accepted is not None):
            flow = flows[key] = _Flow(
                outcome.connections + 1, source if flags & 0x12 != 0x12 else target, None, not flags & 2, {}
            )
            outcome.connections += 1
        direction = int(source != flow.client)
        sequence = int.from_bytes(tcp[4:8]) + (1 if flags & 2 else 0)
        start = flow.starts.setdefault(direction, sequence)
        total = int.from_bytes(packet[2:4]) - (packet[0] & 15) * 4 - (tcp[12] >> 4) * 4
        payload = tcp[(tcp[12] >> 4) * 4 :][: max(0, total)]
        if not payload or (sequence - start) & 0xFFFF_FFFF >= 1 << 31:
            continue
        if flow.accepted is None:
            flow.accepted = _is_ours(runtime, payload, direction, outcome)
            outcome.accepted += flow.accepted
        if flow.accepted:
            batch.data(
                payload, session_id=flow.number, direction=direction, timestamp_ns=time,
                stream_offset=(sequence - start) & 0xFFFF_FFFF, wire_len=min(total, len(payload) + cut),
                flags=SegmentFlag.MID_STREAM if flow.mid_stream else 0,
            )  # fmt: skip
        if len(batch) >= _BATCH:
            _parse(runtime, batch, outcome)
    for flow in flows.values():
        batch.close(session_id=flow.number)
    _parse(runtime, batch, outcome)
    return outcome


def _guarded(call: Callable[[], None], runtime: ParserRuntime, outcome: Outcome) -> None:
    try:
        call()
    except (ParserFault, ParseError) as error:
        outcome.faults[str(error)] += 1
        runtime.restart()


def _is_ours(runtime: ParserRuntime, payload: bytes, direction: int, outcome: Outcome) -> bool:
    answers: list[Verdict] = []

    def ask() -> None:
        batch = BatchBuilder()
        batch.data(payload, direction=direction)
        answers.append(read_checks(runtime.check(memoryview(batch.finish())), 1)[0].verdict)

    _guarded(ask, runtime, outcome)
    return bool(answers) and answers[0] != Verdict.NO


def _parse(runtime: ParserRuntime, batch: BatchBuilder, outcome: Outcome) -> None:
    count = len(batch)
    raw = batch.finish()

    def parse() -> None:
        for record in read_records(runtime.parse(memoryview(raw)), count):
            outcome.records[abi.RECORD_TYPE_NAMES.get(record["type"], str(record["type"]))] += 1

    _guarded(parse, runtime, outcome)
