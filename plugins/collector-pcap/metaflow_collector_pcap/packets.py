"""Packets one by one, for what cannot be done by the block: filtering, and merging files by time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from metaflow_collector_pcap.opening import OpenCapture
from metaflow_collector_pcap.pcapng import pcapng_packets
from metaflow_core.api import BlockFlag, BlockFormat

__all__ = ["MAX_PACKET", "Packet", "pack", "packets"]

MAX_PACKET = 1 << 24
"""A captured length above this is a damaged file, not a packet."""

_RECORD = struct.Struct("<IIQHHI")


class Packet(NamedTuple):
    """A captured frame. ``interface`` tells the interfaces of one pcapng file apart."""

    timestamp_ns: int
    link_type: int
    wire_len: int
    data: bytes
    interface: int


def packets(capture: OpenCapture) -> Iterator[Packet]:
    """The frames of a capture, in file order, up to the first damage.

    :raises EOFError: the file ends inside a frame or is damaged; every frame before it was yielded.
    """
    if capture.format is BlockFormat.PCAPNG:
        yield from (Packet(*fields) for fields in pcapng_packets(capture.name, capture.read))
        return
    order = ">" if capture.flags & BlockFlag.BIG_ENDIAN else "<"
    header = struct.Struct(order + "IIII")
    scale = 1 if capture.flags & BlockFlag.NANOSECONDS else 1000
    while head := capture.read(16):
        if len(head) < 16:
            raise EOFError(f"{capture.name}: ends inside a packet header")
        seconds, fraction, cap_len, wire_len = header.unpack(head)
        if cap_len > MAX_PACKET:
            raise EOFError(
                f"{capture.name}: a packet claims {cap_len} captured bytes; the file is damaged from here on"
            )
        data = capture.read(cap_len)
        if len(data) < cap_len:
            raise EOFError(f"{capture.name}: ends inside a packet")
        yield Packet(seconds * 1_000_000_000 + fraction * scale, capture.link_type, wire_len, data, 0)


def pack(packet: Packet, interface: int) -> bytes:
    """A frame as a ``Record`` of the block format ``records`` (docs/explanation/data-plane.md)."""
    size = len(packet.data)
    head = _RECORD.pack(
        size,
        packet.wire_len,
        packet.timestamp_ns & 0xFFFF_FFFF_FFFF_FFFF,
        packet.link_type & 0xFFFF,
        interface & 0xFFFF,
        0,
    )
    return head + packet.data + bytes(-size % 8)
