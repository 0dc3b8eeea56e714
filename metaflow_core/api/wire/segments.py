"""Reading an ``MFB1`` batch: segments in the order of capture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import NamedTuple

from metaflow_core.api import _abi_generated as abi
from metaflow_core.errors import ParseError

__all__ = ["Direction", "Segment", "SegmentBatch", "SegmentFlag", "SegmentKind"]

BATCH_HEADER = struct.Struct("<IIII")
SEGMENT_HEADER = struct.Struct("<IBBBBQQQHHIII")
"""size, kind, direction, transport, flags, session, time, offset, server port, client port, wire_len, cap_len, 0."""


class SegmentKind(IntEnum):
    """What a segment tells."""

    DATA = abi.SEGMENT_KIND_DATA
    GAP = abi.SEGMENT_KIND_GAP
    CLOSE = abi.SEGMENT_KIND_CLOSE


class Direction(IntEnum):
    """Who sent the bytes."""

    C2S = abi.DIRECTION_C2S
    S2C = abi.DIRECTION_S2C


class SegmentFlag(IntFlag):
    """Bits of a segment's ``flags``."""

    TRUNCATED = abi.SEGMENT_FLAG_TRUNCATED
    TLS_PLAINTEXT = abi.SEGMENT_FLAG_TLS_PLAINTEXT
    MID_STREAM = abi.SEGMENT_FLAG_MID_STREAM


class Segment(NamedTuple):
    """One piece of one direction of a session. Numbers are plain integers, which compare equal to the enums here.

    :ivar position: in its batch, from 0. :ivar kind: :class:`SegmentKind`. :ivar direction: :class:`Direction`.
    :ivar transport: IP protocol number: 6, 17 or 1. :ivar flags: :class:`SegmentFlag`.
    :ivar session_id: key of the parser's state. :ivar timestamp_ns: capture time, nanoseconds since 1970.
    :ivar stream_offset: bytes of this direction before this segment, gaps included.
    :ivar server_port: of the side taken for the server. :ivar client_port: of the other.
    :ivar wire_len: bytes on the wire; for a gap, the bytes missing. :ivar payload: the captured bytes, a view.
    """

    position: int
    kind: int
    direction: int
    transport: int
    flags: int
    session_id: int
    timestamp_ns: int
    stream_offset: int
    server_port: int
    client_port: int
    wire_len: int
    payload: memoryview


class SegmentBatch:
    """A view of ``MFB1`` bytes; iterating gives :class:`Segment` without copying a payload.

    Every length is checked before it is used. Segments of a kind or direction that is not known are passed over, as
    the ABI's rule for minor versions asks. About 0.5 us a segment.

    :raises ParseError: the bytes are not a batch (here), or a length is wrong (while iterating).
    """

    __slots__ = ("_bytes", "count")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        if len(view) < abi.BUFFER_HEADER_SIZE:
            raise ParseError(f"a batch has a header of {abi.BUFFER_HEADER_SIZE} bytes, found {len(view)} bytes in all")
        magic, count, _, _ = BATCH_HEADER.unpack_from(view)
        if magic != abi.MAGIC_BATCH:
            raise ParseError(f"a batch begins with 'MFB1', found {bytes(view[:4])!r}")
        if count * abi.SEGMENT_SIZE > len(view):
            raise ParseError(f"the batch claims {count} segments, its {len(view)} bytes cannot hold so many")
        self._bytes = view
        self.count: int = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Segment]:
        view = self._bytes
        end = len(view)
        at = abi.BUFFER_HEADER_SIZE
        unpack, header, new = SEGMENT_HEADER.unpack_from, abi.SEGMENT_SIZE, tuple.__new__
        for index in range(self.count):
            if at + header > end:
                raise ParseError(f"segment {index} at byte {at} is cut: the batch ends at byte {end}")
            (
                size, kind, direction, transport, flags, session, time, offset, server, client, wire_len, cap_len, _,
            ) = unpack(view, at)  # fmt: skip
            body = at + header
            if size < header + cap_len or at + size > end:
                raise ParseError(
                    f"segment {index} at byte {at} claims {size} bytes with {cap_len} of payload; "
                    f"{end - at} bytes are left, and a header has {header}"
                )
            at += size
            if kind > abi.SEGMENT_KIND_CLOSE or direction > abi.DIRECTION_S2C:
                continue
            yield new(
                Segment,
                (
                    index, kind, direction, transport, flags, session, time, offset, server, client, wire_len,
                    view[body : body + cap_len],
                ),
            )  # fmt: skip
