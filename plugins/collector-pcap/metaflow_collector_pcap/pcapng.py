"""The packets of a pcapng file (draft-ietf-opsawg-pcapng), one by one.

Used for filtering and merging only; a single file goes to the engine by the block.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

__all__ = ["pcapng_packets"]

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_OPT_TSRESOL, _OPT_TSOFFSET = 9, 14
_MAX_BLOCK = 1 << 26
Fields = tuple[int, int, int, bytes, int]


@dataclass(slots=True)
class _Interface:
    link_type: int
    snap_len: int
    ticks_per_second: int = 1_000_000
    offset_seconds: int = 0

    def nanoseconds(self, ticks: int) -> int:
        return ticks * 1_000_000_000 // self.ticks_per_second + self.offset_seconds * 1_000_000_000


@dataclass(slots=True)
class _Section:
    order: str
    interfaces: list[_Interface] = field(default_factory=list)
    last_ns: int = 0


def pcapng_packets(name: str, read: Callable[[int], bytes]) -> Iterator[Fields]:
    """``(timestamp_ns, link_type, wire_len, data, interface)`` of every packet block.

    :param read: reads up to n bytes, empty at the end.
    :raises EOFError: the file is cut or damaged; every packet before it was yielded.
    """
    section: _Section | None = None
    while head := read(8):
        if len(head) < 8:
            raise EOFError(f"{name}: ends inside a block header")
        if head[:4] == b"\x0a\x0d\x0d\x0a":
            magic = read(4)
            if magic not in {b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"}:
                raise EOFError(
                    f"{name}: a section header without its byte-order magic; the file is damaged from here on"
                )
            section = _Section("<" if magic == b"\x4d\x3c\x2b\x1a" else ">")
            body = magic + _body(name, read, section.order, head, already=4)
            del body
            continue
        if section is None:
            raise EOFError(f"{name}: does not begin with a section header")
        kind = int(struct.unpack(section.order + "I", head[:4])[0])
        body = _body(name, read, section.order, head)
        if kind == _INTERFACE:
            section.interfaces.append(_interface(body, section.order))
        elif kind in {_ENHANCED, _OLD_PACKET, _SIMPLE}:
            fields = _packet(kind, body, section)
            if fields is not None:
                yield fields


def _body(name: str, read: Callable[[int], bytes], order: str, head: bytes, already: int = 0) -> bytes:
    size = int(struct.unpack(order + "I", head[4:])[0])
    if size < 12 + already or size > _MAX_BLOCK or size % 4:
        raise EOFError(f"{name}: a block claims {size} bytes; the file is damaged from here on")
    wanted = size - 8 - already
    body = read(wanted)
    if len(body) < wanted:
        raise EOFError(f"{name}: ends inside a block")
    return body[:-4]


def _interface(body: bytes, order: str) -> _Interface:
    link_type, _, snap_len = struct.unpack_from(order + "HHI", body) if len(body) >= 8 else (0xFFFF, 0, 0)
    found = _Interface(link_type, snap_len)
    at = 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == 0:
            break
        if code == _OPT_TSRESOL and value:
            base, power = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
            # above these a timestamp of 64 bits holds less than a second
            found.ticks_per_second = base ** min(power, 63 if base == 2 else 19)
        elif code == _OPT_TSOFFSET and len(value) == 8:
            found.offset_seconds = struct.unpack(order + "q", value)[0]
        at += 4 + size + (-size % 4)
    return found


def _packet(kind: int, body: bytes, section: _Section) -> Fields | None:
    order = section.order
    if kind == _SIMPLE:
        if len(body) < 4 or not section.interfaces:
            return None
        wire_len = int(struct.unpack_from(order + "I", body)[0])
        interface, ticks, at = 0, None, 4
        cap_len = min(wire_len, section.interfaces[0].snap_len or wire_len, len(body) - 4)
    else:
        if len(body) < 20:
            return None
        if kind == _OLD_PACKET:
            interface, _drops, high, low, cap_len, wire_len = struct.unpack_from(order + "HHIIII", body)
        else:
            interface, high, low, cap_len, wire_len = struct.unpack_from(order + "IIIII", body)
        ticks, at = (high << 32) | low, 20
    if interface >= len(section.interfaces) or at + cap_len > len(body):
        return None
    described = section.interfaces[interface]
    # a simple packet block has no time: it stands where its predecessor does
    section.last_ns = section.last_ns if ticks is None else described.nanoseconds(ticks)
    return section.last_ns, described.link_type, wire_len, body[at : at + cap_len], interface
