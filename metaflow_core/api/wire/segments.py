"""Reading an ``MFB1`` batch: segments in the order of capture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import NamedTuple

from metaflow_core.api import abi
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

    def headers(self) -> Iterator[tuple[int, tuple[int, ...], int]]:
        """``(position, header, start of the payload)`` of each segment, every length checked.

        The fast way for drivers; the header is the 13 fields of the wire in their order. Unknown kinds are not left out.
        """
        view = self._bytes
        end = len(view)
        at = abi.BUFFER_HEADER_SIZE
        unpack, header_size = SEGMENT_HEADER.unpack_from, abi.SEGMENT_SIZE
        for position in range(self.count):
            body = at + header_size
            if body > end:
                raise ParseError(f"segment {position} at byte {at} is cut: the batch ends at byte {end}")
            header = unpack(view, at)
            size = header[0]
            if size < header_size + header[11] or at + size > end:
                raise ParseError(
                    f"segment {position} at byte {at} claims {size} bytes with {header[11]} of payload; "
                    f"{end - at} bytes are left, and a header has {header_size}"
                )
            yield position, header, body
            at += size

    def segment(self, position: int, header: tuple[int, ...], body: int) -> Segment:
        """The segment that :meth:`headers` told of."""
        return Segment._make((position, *header[1:11], self._bytes[body : body + header[11]]))

    def __iter__(self) -> Iterator[Segment]:
        view, new = self._bytes, tuple.__new__
        for position, header, body in self.headers():
            if header[1] > abi.SEGMENT_KIND_CLOSE or header[2] > abi.DIRECTION_S2C:
                continue
            yield new(Segment, (position, *header[1:11], view[body : body + header[11]]))
