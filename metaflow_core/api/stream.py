"""The bytes of one direction as the author of a Python parser reads them: as if all had come."""

from __future__ import annotations

import struct
from typing import Any

from metaflow_core.api import abi

__all__ = ["Incomplete", "NotThisProtocol", "Stream"]


class Incomplete(Exception):
    """The message goes on behind the bytes that are there. Raised by :class:`Stream`, or by a parser for itself."""


class NotThisProtocol(Exception):
    """The session is another protocol after all; the text says why. The engine offers it to other parsers."""


_INCOMPLETE = Incomplete()  # raising one object again and again is three times cheaper than making it


class Stream:
    """A position in the bytes of one direction. Reading moves it; what is not there yet raises :class:`Incomplete`.

    The driver catches that, goes back to the start of the message and asks again when more has come, so a parser reads
    as if the whole message were there, and every split of the stream gives the same messages.

    :ivar direction: 0 from client to server, 1 the other way. :ivar data: the buffer; :attr:`pos` is the next byte of it.
    """

    __slots__ = ("base", "data", "direction", "end", "pos", "start")

    def __init__(self, direction: int) -> None:
        self.direction = direction
        self.data = b""
        self.pos = 0
        self.start = 0
        self.end = 0
        self.base = 0

    @property
    def is_request(self) -> bool:
        """The bytes go from the client to the server."""
        return self.direction == abi.DIRECTION_C2S

    @property
    def offset(self) -> int:
        """Offset of the next byte in its direction."""
        return self.base + self.pos

    def line(self, end: bytes = b"\r\n") -> bytes:
        """The bytes up to the next ``end``, which is passed over and left out."""
        at = self.data.find(end, self.pos, self.end)
        if at < 0:
            raise _INCOMPLETE
        start, self.pos = self.pos, at + len(end)
        return self.data[start:at]

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes.

        :raises ValueError: ``count`` is negative.
        """
        start = self.pos
        stop = start + count
        if count < 0:
            raise ValueError(f"a length of {count} bytes")
        if stop > self.end:
            raise _INCOMPLETE
        self.pos = stop
        return self.data[start:stop]

    def unpack(self, format: str) -> tuple[Any, ...]:
        """The next values in the notation of :mod:`struct`; begin the format with ``>`` or ``<``."""
        start = self.pos
        stop = start + struct.calcsize(format)
        if stop > self.end:
            raise _INCOMPLETE
        self.pos = stop
        return struct.unpack_from(format, self.data, start)

    def peek(self, count: int) -> bytes:
        """The next ``count`` bytes without moving."""
        stop = self.pos + count
        if stop > self.end:
            raise _INCOMPLETE
        return self.data[self.pos : stop]

    def rest(self) -> bytes:
        """All bytes that are there. For datagrams: in a stream, how many there are depends on the split."""
        start, self.pos = self.pos, self.end
        return self.data[start : self.end]

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes, those that are there and those to come; as the last step they are never buffered.

        :raises ValueError: ``count`` is negative.
        """
        if count < 0:
            raise ValueError(f"a length of {count} bytes")
        self.pos += count
