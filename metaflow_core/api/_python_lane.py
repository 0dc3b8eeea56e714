"""One direction of one session of a Python parser: buffering, gaps, resynchronisation, messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from metaflow_core.api import abi
from metaflow_core.api.stream import Incomplete, NotThisProtocol, Stream

if TYPE_CHECKING:
    from metaflow_core.api.python_parser import PythonParser, Session
    from metaflow_core.api.wire.message import Message
    from metaflow_core.api.wire.segments import Segment

__all__ = ["Lane"]

_MASK = (1 << 64) - 1
_HALF = 1 << 63
_MOST_FAILURES = 8
"""Messages in a row that a parser may fail on before the session is given up as another protocol."""

Emit = Callable[[tuple[int, int, int, int, int | None, Any]], None]
"""Takes (segment_index, type, stream_offset, time_ns, length, message)."""


class Lane:
    """What is known of one direction. The usual segment begins and ends with a message and touches little of this."""

    __slots__ = (
        "_checking",
        "_dropped",
        "_emit",
        "_failures",
        "_held",
        "_limit",
        "_marks",
        "_message",
        "_parser",
        "_part",
        "_resyncing",
        "_session",
        "_skip",
        "_stream",
        "_time",
        "_type",
        "expected",
        "quiet",
    )  # fmt: skip

    def __init__(self, parser: PythonParser[Any], session: Session, direction: int, emit: Emit) -> None:
        self._parser = parser
        self._session = session
        self._emit = emit
        self._message = parser.message
        self.quiet = False
        self._stream = Stream(direction)
        self._limit = parser.max_message_bytes
        self._type = abi.RECORD_TYPE_REQUEST if direction == abi.DIRECTION_C2S else abi.RECORD_TYPE_RESPONSE
        self.expected = -1  # offset of the next byte; -1 before the first
        self._skip = 0  # bytes to come that the parser passes over
        self._held: tuple[int, int, int, int | None, Any] | None = (
            None  # a message whose skipped bytes have not all come
        )
        self._part: tuple[int, int] | None = None  # offset and time of a message whose beginning was taken
        self._marks: list[tuple[int, int]] = []  # (end offset, time) of buffered pieces
        self._time = 0
        self._checking: Segment | None = None  # mid-stream: is this the start of a message?
        self._resyncing = False
        self._dropped: tuple[int, int, int, str] | None = None  # offset, time, bytes, why: not told of yet
        self._failures = 0

    def whole(self, position: int, time: int, offset: int, payload: bytes) -> None:
        """Take the next segment of a quiet lane: nothing waits, so it begins with a message, and mostly is one."""
        session = self._session
        if session.ended:
            return
        stream = self._stream
        stream.data = payload
        stream.base = offset
        stream.pos = stream.start = 0
        size = len(payload)
        self.expected = offset + size
        self._time = time
        if size > self._limit:
            self._settle(position)
            return
        stream.end = size
        try:
            found = self._message(stream, session)
        except Exception:  # noqa: BLE001 - the careful way meets it again and says what it means
            stream.pos = 0
            self._settle(position)
            return
        if found is not None and stream.pos == size:
            self._emit((position, self._type, offset, time, size, found))
            return
        if stream.pos:
            self._take(position, 0, found)
        self._settle(position)

    def _settle(self, position: int) -> None:
        stream = self._stream
        self._drain(position)
        if stream.pos >= len(stream.data):
            self._marks.clear()
        self.quiet = (
            stream.pos >= len(stream.data)
            and not self._skip
            and not self._resyncing
            and self._part is None
            and not self._failures
            and not self._session.ended
        )

    def data(self, segment: Segment) -> None:
        """Take any data segment of a stream."""
        self.quiet = False
        if self._session.ended:
            return
        time, offset, payload = segment[6], segment[7], segment[11]
        if offset != self.expected:
            seen = self._align(segment)
            if seen >= len(payload) > 0:
                return
            payload = payload[seen:]
            offset = (offset + seen) & _MASK
        self.expected = (offset + len(payload)) & _MASK
        if self._skip:
            payload = self._pass_over(segment[0], payload)
            offset = (self.expected - len(payload)) & _MASK
        stream = self._stream
        if stream.pos >= len(stream.data):
            stream.data = bytes(payload)
            stream.base = offset
            stream.pos = 0
            if self._marks:
                self._marks.clear()
            self._time = time
        else:
            self._join(payload, offset, time)
        if self._checking is not None and not self._begins(segment[0]):
            return
        if self._resyncing and not self._found(segment[0]):
            return
        self._settle(segment[0])

    def datagram(self, segment: Segment) -> None:
        """Take a datagram: it holds whole messages."""
        if self._session.ended:
            return
        stream = self._stream
        stream.data, stream.base, stream.pos = bytes(segment[11]), segment[7], 0
        self._marks.clear()
        self._time = segment[6]
        self._drain(segment[0])
        if stream.pos < len(stream.data):
            self._drop(stream.pos, len(stream.data), "the datagram ends inside a message")
        stream.data, stream.pos = b"", 0
        self._skip, self._part, self._resyncing = 0, None, False
        self.close(segment[0])

    def gap(self, segment: Segment) -> None:
        """Take a gap segment."""
        self.quiet = False
        if self._session.ended:
            return
        if self.expected < 0:
            self.expected = segment[7]
        behind = (segment[7] + segment[10] - self.expected) & _MASK
        if 0 < behind < _HALF:
            self._time = segment[6] if not self._stream.data else self._time
            self._lose(segment[0], behind, segment[6])

    def close(self, position: int) -> None:
        """The session ends: say what is known and not yet said."""
        if self._session.ended:
            return
        self._release(position)
        self._tell_dropped(position)

    def _align(self, segment: Segment) -> int:
        """Compare the segment's offset with the one expected; returns how many of its bytes were seen before."""
        offset = segment[7]
        if self.expected < 0:
            if segment[4] & abi.SEGMENT_FLAG_MID_STREAM:
                self._checking = segment
            self.expected = offset
            return 0
        ahead = (offset - self.expected) & _MASK
        if ahead >= _HALF:
            return (1 << 64) - ahead
        if ahead:
            self._lose(segment[0], ahead, segment[6])
        return 0

    def _lose(self, position: int, missing: int, time: int) -> None:
        """Account for bytes that never came."""
        lost_at = self.expected
        self.expected = (self.expected + missing) & _MASK
        if self._skip >= missing:
            self._skip -= missing
            if not self._skip:
                self._release(position)
            return
        missing -= self._skip
        lost_at = (lost_at + self._skip) & _MASK
        self._skip = 0
        self._release(position)
        stream = self._stream
        left = max(0, len(stream.data) - stream.pos)
        if self._part is not None:
            lost_at, time = self._part
        elif left:
            lost_at, time = (stream.base + stream.pos) & _MASK, self._time_at(stream.pos)
        stream.data, stream.pos = b"", 0
        self._part = None
        self._checking = None
        if self._dropped is None:
            self._dropped = (lost_at, time, (self.expected - lost_at) & _MASK, "bytes lost in the capture")
        else:
            lost_at, time, _, reason = self._dropped
            self._dropped = (lost_at, time, (self.expected - lost_at) & _MASK, reason)
        self._resyncing = True
        self._parser.lost(self._stream, self._session)

    def _pass_over(self, position: int, payload: memoryview) -> memoryview:
        passed = min(self._skip, len(payload))
        self._skip -= passed
        if not self._skip:
            self._release(position)
        return payload[passed:]

    def _join(self, payload: memoryview, offset: int, time: int) -> None:
        """Put a piece behind the bytes that wait for it."""
        stream = self._stream
        if not self._marks:
            self._marks.append((offset, self._time))
        if len(self._marks) < 256 and self._marks[-1][1] != time:
            self._marks.append((offset + len(payload), time))
        else:  # beyond it neighbours share the earlier time
            self._marks[-1] = (offset + len(payload), self._marks[-1][1])
        stream.base += stream.pos
        while self._marks and self._marks[0][0] <= stream.base:
            self._marks.pop(0)
        stream.data = b"".join((stream.data[stream.pos :], payload))
        stream.pos = 0

    def _time_at(self, pos: int) -> int:
        offset = self._stream.base + pos
        for end, time in self._marks:
            if offset < end:
                return time
        return self._marks[-1][1] if self._marks else self._time

    def _begins(self, position: int) -> bool:
        """The start of the flow was not seen: let ``check`` say whether this is the start of a message."""
        stream, parser = self._stream, self._parser
        assert self._checking is not None
        check = parser.checked(stream.data[stream.pos :], self._checking)
        if check.verdict == abi.VERDICT_MORE and len(stream.data) - stream.pos < self._limit:
            return False
        self._checking = None
        self._resyncing = check.verdict in {abi.VERDICT_NO, abi.VERDICT_MORE}
        return True

    def _found(self, position: int) -> bool:
        """Look for the next message; what is before it is passed over."""
        stream, parser = self._stream, self._parser
        data = stream.data[stream.pos :]
        at = parser.resync(data, stream.direction)
        passed = min(at, len(data)) if at >= 0 else max(0, len(data) - parser.resync_keep)
        if passed:
            self._drop(stream.pos, stream.pos + passed, "no message begins here")
            stream.pos += passed
        if at < 0:
            return False
        self._tell_dropped(position)
        self._resyncing = False
        return True

    def _drain(self, position: int) -> None:
        """Give every message that is there."""
        stream, session, limit, message = self._stream, self._session, self._limit, self._message
        size, start = len(stream.data), stream.pos
        while start < size and not session.ended:
            stream.start = start
            stream.end = size if size - start <= limit else start + limit
            try:
                found = message(stream, session)
            except Incomplete:
                stream.pos = start
                if stream.end - start < limit:
                    return
                start = self._give_up(position, start + limit, f"a message of more than {limit} bytes")
                continue
            except NotThisProtocol as reason:
                self.violate(position, str(reason) or "another protocol", start)
                return
            except Exception as error:  # noqa: BLE001 - a parser's defect on hostile bytes costs one message, not the batch
                start = self._failed(position, start, error)
                continue
            stop = stream.pos
            if stop <= start:
                start = self._failed(position, start, ValueError("the parser read nothing"))
                continue
            self._failures = 0
            self._take(position, start, found)
            start = stop
        if stream.pos > size:
            self._skip = stream.pos - size
            stream.pos = size

    def _take(self, position: int, start: int, found: Message | None) -> None:
        """Emit the message that was read from ``start`` to the stream's position, or keep what it says."""
        stream, part = self._stream, self._part
        if part is None:
            offset, time = (stream.base + start) & _MASK, self._time_at(start) if self._marks else self._time
        else:
            offset, time = part
        if found is None:
            self._part = (offset, time)
            return
        self._part = None
        length = (stream.base + stream.pos - offset) & _MASK
        if stream.pos > len(stream.data):
            self._held = (self._type, offset, time, length, found)
        else:
            self._emit((position, self._type, offset, time, length, found))

    def _give_up(self, position: int, stop: int, reason: str) -> int:
        """Pass over the bytes up to ``stop``, then look for the next message; returns where to go on."""
        stream = self._stream
        self._drop(stream.pos, stop, reason)
        stream.pos = stop
        self._resyncing = True
        self._parser.lost(stream, self._session)
        return stream.pos if self._found(position) else len(stream.data)

    def _failed(self, position: int, start: int, error: Exception) -> int:
        """A message on which the parser failed: pass over its first byte and look for the next."""
        self._failures += 1
        text = f"{type(error).__name__}: {error}"[:200]
        if self._failures >= _MOST_FAILURES:
            self.violate(position, f"{self._failures} messages in a row could not be parsed, the last: {text}", start)
            return len(self._stream.data)
        self._stream.pos = start
        return self._give_up(position, start + 1, text)

    def _drop(self, start: int, stop: int, reason: str) -> None:
        """Bytes of the buffer that could not be used; with what was dropped just before they make one record."""
        stream = self._stream
        if self._dropped is None:
            offset, time = self._part or ((stream.base + start) & _MASK, self._time_at(start))
        else:
            offset, time, _, reason = self._dropped
        self._part = None
        self._dropped = (offset, time, (stream.base + stop - offset) & _MASK, reason)

    def violate(self, position: int, reason: str, start: int) -> None:
        """Withdraw from the session."""
        stream = self._stream
        offset, time = (stream.base + start) & _MASK, self._time_at(start)
        self._emit((position, abi.RECORD_TYPE_VIOLATION, offset, time, None, {"exception": reason}))
        self._session.ended = True
        stream.pos = len(stream.data)

    def _release(self, position: int) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._emit((position, *held))

    def _tell_dropped(self, position: int) -> None:
        if self._dropped is not None:
            (offset, time, length, reason), self._dropped = self._dropped, None
            self._emit((position, abi.RECORD_TYPE_SKIPPED, offset, time, length, {"exception": reason}))
