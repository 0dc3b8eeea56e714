"""memcached's text protocol, storage and meta commands (memcached's doc/protocol.txt)."""

from __future__ import annotations

from metaflow_core import hookimpl
from metaflow_core.api import ParserConfig, ParserFactory, Stability
from metaflow_core.api.python_parser import PythonParser, Session, Stream, parser_factory
from metaflow_core.api.wire import Check, Message, RecordType, Segment, Status, Verdict

STORE = frozenset({b"set", b"add", b"replace", b"append", b"prepend", b"cas"})
REQUESTS = STORE | frozenset(
    b"get gets gat gats delete incr decr touch stats version flush_all verbosity quit mg ms md ma mn me".split()
)
ERRORS = {b"ERROR": Status.CLIENT_ERROR, b"CLIENT_ERROR": Status.CLIENT_ERROR, b"SERVER_ERROR": Status.SERVER_ERROR}


class Memcached(PythonParser[ParserConfig]):
    """memcached text protocol: commands, keys, results and errors."""

    delimiter = b"\r\n"

    def check(self, data: bytes, segment: Segment) -> Check | Verdict:
        """A flow begins with a command and a space or the end of the line."""
        word, space, _ = data[:32].replace(b"\r\n", b" ").partition(b" ")
        if not space:
            return Verdict.MORE if any(known.startswith(word) for known in REQUESTS) else self.no("no command")
        return Verdict.REQUEST if word in REQUESTS else self.no("no command of memcached")

    def message(self, stream: Stream, session: Session) -> Message | None:
        """A command with its value, or an answer with all its values."""
        words = stream.line().split() or [b""]
        if stream.is_request:
            if words[0] in STORE or words[0] == b"ms":
                stream.skip(int(words[2 if words[0] == b"ms" else 4]) + 2)  # the value, never buffered
            kind = RecordType.SESSION if words[-1] == b"noreply" or words[0] == b"quit" else RecordType.REQUEST
            return {"type": kind, "request_type": words[0], "request_resource": b" ".join(words[1:2])}
        if words[0] in {b"VALUE", b"VA"}:
            stream.skip(int(words[3 if words[0] == b"VALUE" else 1]) + 2)
        if words[0] in {b"VALUE", b"STAT"}:
            return None  # the answer goes on until END
        if words[0] in ERRORS:
            return {"status": ERRORS[words[0]], "exception": b" ".join(words)}
        return {"status": Status.OK, "result": words[0]}


@hookimpl
def metaflow_parsers() -> list[ParserFactory]:
    """Offer the parser."""
    protocols = [(200, "Memcached")]
    return [parser_factory(Memcached, type="memcached", protocols=protocols, ports=(11211,), stability=Stability.BETA)]
