"""Frames by hand: conversations of two hosts, and what networks do to them (tags, tunnels, fragments, losses)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MICROSECOND = 1000
MILLISECOND = 1_000_000


@dataclass(frozen=True)
class Frame:
    """One captured frame. ``time_ns`` counts from the epoch, ``wire`` is its length on the wire (0: as captured)."""

    time_ns: int
    data: bytes
    wire: int = 0

    def cut(self, length: int) -> Frame:
        """As a capture with this snap length has it."""
        return replace(self, data=self.data[:length], wire=self.wire or len(self.data))

    def later(self, nanoseconds: int) -> Frame:
        return replace(self, time_ns=self.time_ns + nanoseconds)


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    payload: bytes,
    protocol: int,
    source: bytes,
    target: bytes,
    *,
    options: bytes = b"",
    ident: int = 1,
    offset: int = 0,
    more: bool = False,
) -> bytes:
    """A packet; ``offset`` of a fragment in bytes."""
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    length = words * 4 + len(payload)
    # A segment larger than 64 KiB (TSO) has a length of 0, as Linux writes it.
    shown = length if length < 65536 else 0
    flags = 0x2000 if more else 0
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, shown, ident, flags | offset // 8, 64, protocol, 0)
    head += source + target + options
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + payload


def ipv6(payload: bytes, protocol: int, source: bytes, target: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + target + payload


def ethernet(payload: bytes, kind: int = 0, tags: Sequence[tuple[int, int]] = (), *, back: bool = False) -> bytes:
    """``tags``: (ethertype, VLAN id) from the outside in."""
    kind = kind or (0x86DD if payload[0] >> 4 == 6 else 0x0800)
    macs = [bytes.fromhex("020000000001"), bytes.fromhex("020000000002")]
    if back:
        macs.reverse()
    head = b"".join(struct.pack(">HH", tpid, vlan) for tpid, vlan in tags)
    return macs[1] + macs[0] + head + struct.pack(">H", kind) + payload


@dataclass
class Talk:
    """A conversation of a client and a server, frame by frame.

    Each of :meth:`c` and :meth:`s` sends bytes as one segment (or several of ``size``); time goes on by ``step``.
    """

    port: int
    client_port: int = 40000
    client: str = "10.0.0.1"
    server: str = "10.0.0.2"
    udp: bool = False
    now: int = 1_700_000_000_000_000_000
    step: int = 1 * MILLISECOND
    tags: Sequence[tuple[int, int]] = ()
    options: bytes = b""
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seq = [1000, 900_000]
        self.acked = [0, 0]

    # what is sent

    def open(self) -> Talk:
        self.raw(0, flags=SYN)
        self.seq[0] += 1
        self.raw(1, flags=SYN | ACK)
        self.seq[1] += 1
        self.raw(0, flags=ACK)
        return self

    def c(self, data: bytes | str, size: int = 0) -> Talk:
        return self._send(0, data, size)

    def s(self, data: bytes | str, size: int = 0) -> Talk:
        return self._send(1, data, size)

    def close(self) -> Talk:
        self.raw(0, flags=FIN | ACK)
        self.seq[0] += 1
        self.raw(1, flags=FIN | ACK)
        self.seq[1] += 1
        self.raw(0, flags=ACK)
        return self

    def lose(self, side: int, length: int) -> Talk:
        """Bytes that the capture did not see."""
        self.seq[side] += length
        return self

    def _send(self, side: int, data: bytes | str, size: int) -> Talk:
        whole = data.encode() if isinstance(data, str) else data
        for start in range(0, len(whole), size or len(whole) or 1):
            part = whole[start : start + size] if size else whole
            self.raw(side, part)
            self.seq[side] += len(part)
        return self

    def raw(self, side: int, data: bytes = b"", *, flags: int = PSH | ACK, seq: int | None = None) -> Frame:
        """A packet as it is told, which changes no sequence number."""
        self.now += self.step
        packet = self.packet(side, data, flags=flags, seq=seq)
        frame = Frame(self.now, ethernet(packet, tags=self.tags, back=side == 1))
        self.frames.append(frame)
        return frame

    def packet(self, side: int, data: bytes = b"", *, flags: int = PSH | ACK, seq: int | None = None) -> bytes:
        """The IP packet alone."""
        segment, protocol = self.segment(side, data, flags=flags, seq=seq), 17 if self.udp else 6
        ends = self._ends(side)
        if len(ends[0]) == 16:
            return ipv6(segment, protocol, *ends)
        return ipv4(segment, protocol, *ends, options=self.options)

    def segment(self, side: int, data: bytes = b"", *, flags: int = PSH | ACK, seq: int | None = None) -> bytes:
        """The transport segment alone (without a checksum, as a capture on the sending host has it)."""
        ports = (self.client_port, self.port) if side == 0 else (self.port, self.client_port)
        if self.udp:
            return struct.pack(">HHHH", *ports, 8 + len(data), 0) + data
        ack = self.seq[1 - side] if flags & ACK else 0
        place = self.seq[side] if seq is None else seq
        return struct.pack(">HHIIBBHHH", *ports, place % 2**32, ack, 0x50, flags, 64000, 0, 0) + data

    def _ends(self, side: int) -> tuple[bytes, bytes]:
        ends = [address(self.client), address(self.server)]
        if side == 1:
            ends.reverse()
        return ends[0], ends[1]


def address(text: str) -> bytes:
    import ipaddress

    return ipaddress.ip_address(text).packed


def pcap_bytes(frames: Iterable[Frame], *, link: int = 1, order: str = "<", nano: bool = False) -> bytes:
    """A classic pcap file."""
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)]
    for frame in frames:
        seconds, rest = divmod(frame.time_ns, 10**9)
        head = (seconds, rest if nano else rest // 1000, len(frame.data), frame.wire or len(frame.data))
        out.append(struct.pack(order + "IIII", *head) + frame.data)
    return b"".join(out)


def write(path: Path, frames: Iterable[Frame], **how: Any) -> Path:
    path.write_bytes(pcap_bytes(frames, **how))
    return path
