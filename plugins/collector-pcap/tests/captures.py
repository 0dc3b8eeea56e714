"""Capture files written by hand, in every form the collector reads."""

from __future__ import annotations

import struct

FRAMES = [
    (1_700_000_000_000_001_000, b"\x00" * 12 + b"\x08\x00" + bytes(range(46))),
    (1_700_000_000_500_002_000, b"\x01" * 12 + b"\x08\x00" + bytes(60)),
    (1_700_000_001_000_003_000, b"\x02" * 12 + b"\x86\xdd" + bytes(40)),
]


def pcap(frames=FRAMES, *, order: str = "<", nanoseconds: bool = False, link_type: int = 1) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)
    for timestamp, data in frames:
        seconds, fraction = divmod(timestamp, 1_000_000_000)
        fraction = fraction if nanoseconds else fraction // 1000
        out += struct.pack(order + "IIII", seconds, fraction, len(data), len(data) + 4) + data
    return out


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def pcapng(frames=FRAMES, *, order: str = "<", resolution: int = 9, link_type: int = 1) -> bytes:
    out = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    option = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
    out += _block(order, 1, struct.pack(order + "HHI", link_type, 0, 262144) + option)
    for timestamp, data in frames:
        ticks = timestamp // 10 ** (9 - resolution)
        body = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 4) + data
        out += _block(order, 6, body)
    return out
