"""Protocol parsers in Python: an author reads one message at a time, the engine sees whole batches.

::

    class Echo(PythonParser):
        delimiter = b"\\n"

        def check(self, data, segment):
            return Verdict.REQUEST if data.startswith(b"ECHO ") else self.no("no ECHO")

        def message(self, stream, session):
            word, _, rest = stream.line(b"\\n").partition(b" ")
            return {"request_type": word, "request_resource": rest} if stream.is_request else {"result": rest}

    echo = parser_factory(Echo, type="echo", protocols=[(200, "Echo")], ports=(7,))

Splits, gaps, lost bytes, bounded buffers and sessions, hostile bytes: the base class does all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from metaflow_core.api import abi
from metaflow_core.api._python_lane import Lane
from metaflow_core.api.config import Config
from metaflow_core.api.factories import ParserFactory
from metaflow_core.api.identity import Stability
from metaflow_core.api.manifest import ParserConfig
from metaflow_core.api.parsing import Pairing, ParserDescription, ParserFault
from metaflow_core.api.stream import Incomplete, NotThisProtocol, Stream
from metaflow_core.api.wire.checks import Check, CheckBuilder
from metaflow_core.api.wire.message import Message, Verdict
from metaflow_core.api.wire.records import RecordBuilder
from metaflow_core.api.wire.segments import Segment, SegmentBatch
from metaflow_core.errors import ParseError

__all__ = ["Incomplete", "NotThisProtocol", "PythonParser", "PythonRuntime", "Session", "Stream", "parser_factory"]

C = TypeVar("C", bound=Config)


class Session:
    """One session (a TCP connection, a UDP flow).

    :ivar id: its id. :ivar server_port: as the first segment told. :ivar client_port: likewise.
    :ivar transport: IP protocol number. :ivar state: what the parser keeps; made by ``new_state``.
    :ivar ended: it is another protocol after all; what comes is ignored.
    """

    __slots__ = ("client_port", "ended", "id", "server_port", "state", "transport")

    def __init__(self, segment: Segment, state: Any) -> None:
        self.id = segment.session_id
        self.server_port = segment.server_port
        self.client_port = segment.client_port
        self.transport = segment.transport
        self.state = state
        self.ended = False


class PythonParser(Generic[C]):
    """Base class of a parser: implement :meth:`check` and :meth:`message`.

    :cvar max_message_bytes: longest message that is buffered; what is longer is reported as skipped. Bytes that
        :meth:`Stream.skip` passes over do not count.
    :cvar max_sessions: sessions remembered; at most twice as many, those used last are kept.
    :cvar delimiter: what ends a message; after lost bytes the next message is looked for behind it.
    :cvar magics: what messages begin with; after lost bytes the next one is looked for there.
    """

    max_message_bytes: ClassVar[int] = 65_536
    max_sessions: ClassVar[int] = 65_536
    delimiter: ClassVar[bytes] = b""
    magics: ClassVar[tuple[bytes, ...]] = ()

    def __init__(self, config: C) -> None:
        """Build a parser from its options. Called once for each shard of an engine, and again after a fault."""
        self.config = config

    def check(self, data: bytes, segment: Segment) -> Check | Verdict:
        """Say whether a flow that begins with ``data`` is this protocol.

        :param data: everything of this direction since the flow was offered.
        :param segment: direction, ports and flags.
        :returns: ``Verdict.REQUEST`` or ``RESPONSE`` (it is, and this direction carries those), ``Verdict.MORE``, or
            :meth:`no` with a reason.
        """
        raise NotImplementedError

    def message(self, stream: Stream, session: Session) -> Message | None:
        """Read one message from the stream.

        Raise nothing when bytes are missing: the stream does, and this is called again from the message's start when
        more has come; so change ``session.state`` only after the last read. ``type`` defaults to request or response by
        direction; offset, time and length are filled in.

        :returns: the message, or None when what was read is the beginning of a message that later reads complete.
        :raises NotThisProtocol: the session is another protocol after all.
        """
        raise NotImplementedError

    def new_state(self) -> Any:
        """What a new session has as ``session.state``; default an empty dictionary."""
        return {}

    def lost(self, stream: Stream, session: Session) -> None:
        """Bytes of a direction were lost: forget what was half read of it."""

    def resync(self, data: bytes, direction: int) -> int:
        """Where in ``data`` the next message begins after lost bytes; -1 when it does not begin here."""
        if self.delimiter:
            at = data.find(self.delimiter)
            return at if at < 0 else at + len(self.delimiter)
        found = [at for at in map(data.find, self.magics) if at >= 0]
        if found or self.magics:
            return min(found, default=-1)
        return 0

    @property
    def resync_keep(self) -> int:
        """Last bytes that :meth:`resync` must see again together with what follows them."""
        return max(map(len, (*self.magics, self.delimiter)), default=1) - 1

    def no(self, reason: str, offset: int = 0) -> Check:
        """A refusal: why, and at which byte."""
        return Check(Verdict.NO, offset, reason)

    def checked(self, data: bytes, segment: Segment) -> Check:
        """:meth:`check` as the driver calls it: a failure of the parser is a refusal that says so."""
        try:
            answer = self.check(data, segment)
        except Exception as error:  # noqa: BLE001 - foreign code on hostile bytes
            return Check(Verdict.NO, 0, f"the parser failed: {type(error).__name__}: {error}"[:200])
        return answer if isinstance(answer, Check) else Check(answer, 0, "refused" if answer == Verdict.NO else "")


class PythonRuntime:
    """Runs a :class:`PythonParser` on batches: the ``ParserRuntime`` of the ``python`` runtime."""

    def __init__(self, create: Callable[[], PythonParser[Any]], private: dict[str, int] | None = None) -> None:
        self._create = create
        self._records = RecordBuilder(private)
        self._emit: Callable[[Any], None] = self._records.place
        self._young: dict[int, tuple[Lane, Lane]] = {}
        self._old: dict[int, tuple[Lane, Lane]] = {}
        self._parser = create()

    def check(self, batch: memoryview) -> bytes:
        """See :meth:`metaflow_core.api.parsing.ParserRuntime.check`."""
        try:
            segments = SegmentBatch(batch)
            checks = CheckBuilder(len(segments))
            for segment in segments:
                checks.set(segment.position, self._parser.checked(bytes(segment.payload), segment))
        except ParseError as error:
            raise ParserFault(f"malformed batch: {error}") from error
        return checks.finish()

    def parse(self, batch: memoryview) -> bytes:
        """See :meth:`metaflow_core.api.parsing.ParserRuntime.parse`."""
        data = bytes(batch)  # slices of bytes are bytes: one copy of the batch instead of one of each payload
        lanes = self._young
        try:
            segments = SegmentBatch(data)
            for position, header, body in segments.headers():
                pair = lanes.get(header[5])
                if pair is not None and not header[1] and header[2] <= 1:
                    lane = pair[header[2]]
                    if lane.quiet and lane.expected == header[7]:
                        lane.whole(position, header[6], header[7], data[body : body + header[11]])
                        continue
                self._careful(segments.segment(position, header, body))
                lanes = self._young
        except ParseError as error:
            self._records.finish()
            raise ParserFault(f"malformed batch: {error}") from error
        return self._records.finish()

    def _careful(self, segment: Segment) -> None:
        """Any segment: of a new session, a gap, the end, a datagram, or one that does not begin with a message."""
        if segment.direction > abi.DIRECTION_S2C or segment.kind > abi.SEGMENT_KIND_CLOSE:
            return
        if segment.kind == abi.SEGMENT_KIND_CLOSE:
            for lane in self._young.pop(segment.session_id, None) or self._old.pop(segment.session_id, None) or ():
                lane.close(segment.position)
            return
        lane = (self._young.get(segment.session_id) or self._lanes(segment))[segment.direction]
        if segment.kind == abi.SEGMENT_KIND_GAP:
            lane.gap(segment)
        elif segment.transport == abi.TRANSPORT_TCP:
            lane.data(segment)
        else:
            lane.datagram(segment)

    def restart(self) -> None:
        """Forget every session and begin with a new parser."""
        self.close()
        self._parser = self._create()

    def close(self) -> None:
        """Forget every session."""
        self._young, self._old = {}, {}
        self._records.finish()

    def _lanes(self, segment: Segment) -> tuple[Lane, Lane]:
        """The lanes of a session that is not young: two generations bound the table at the cost of one look-up."""
        lanes = self._old.pop(segment.session_id, None)
        if lanes is None:
            session = Session(segment, self._parser.new_state())
            lanes = (
                Lane(self._parser, session, abi.DIRECTION_C2S, self._emit),
                Lane(self._parser, session, abi.DIRECTION_S2C, self._emit),
            )
        if len(self._young) >= self._parser.max_sessions:
            self._old, self._young = self._young, {}
        self._young[segment.session_id] = lanes
        return lanes


def parser_factory(
    parser: type[PythonParser[Any]],
    *,
    type: str,
    protocols: Iterable[tuple[int, str]],
    ports: Iterable[int] = (),
    transports: Iterable[str] = ("tcp",),
    magics: Iterable[bytes] | None = None,
    pairing: Pairing = Pairing.FIFO,
    session_timeout_ms: int = 120_000,
    max_check_segments: int = 8,
    config: type[Config] = ParserConfig,
    private: dict[str, int] | None = None,
    stability: Stability = Stability.ALPHA,
    summary: str = "",
) -> ParserFactory:
    """Make the :class:`ParserFactory` of a Python parser, to return from the hook ``metaflow_parsers``.

    :param parser: the class. :param type: name of the parser in the configuration.
    :param protocols: ``(number, name)``; third parties use 127 or 128 to 255. :param ports: where it is asked first.
    :param magics: first bytes at which it is asked early; default the class's ``magics``.
    :param config: model of its options. :param private: names of text columns of its own -> ids from 1024 on.
    """
    return ParserFactory(
        type=type,
        config=config,
        stability=stability,
        summary=summary or next(iter((parser.__doc__ or "").strip().splitlines()), ""),
        description=ParserDescription(
            name=type,
            protocols=tuple(protocols),
            transports=tuple(transports),
            ports=tuple(ports),
            magics=parser.magics if magics is None else tuple(magics),
            pairing=pairing,
            session_timeout_ms=session_timeout_ms,
            max_check_segments=max_check_segments,
        ),
        python=lambda options: PythonRuntime(lambda: parser(options), private),
    )
