"""KV1, the private protocol of wasm-sdk/README.md, in Python."""

from __future__ import annotations

from metaflow_core.api import Pairing, ParserConfig
from metaflow_core.api.python_parser import NotThisProtocol, PythonParser, Session, Stream, parser_factory
from metaflow_core.api.wire import Check, Message, RecordType, Segment, Status, Verdict

MAGIC = b"KV1!"
VERBS = ("", "GET", "SET", "DEL")
STATUS = {0: Status.OK, 1: Status.CLIENT_ERROR}


def wrong_at(head: bytes) -> int:
    """A header that KV1 allows: -1, or the offset of what is wrong."""
    if head[:4] != MAGIC:
        return 0
    if not 1 <= head[4] <= 3:
        return 4
    if head[4] != RecordType.RESPONSE and not 1 <= head[5] <= 3:
        return 5
    body = int.from_bytes(head[12:16])
    if body > 4080:
        return 12
    return 6 if int.from_bytes(head[6:8]) > body else -1


class KV1(PythonParser[ParserConfig]):
    """KV1: length-prefixed requests and responses with ids."""

    magics = (MAGIC,)

    def check(self, data: bytes, segment: Segment) -> Check | Verdict:
        """Magic first, then the header."""
        for at, wanted in enumerate(MAGIC):
            if at >= len(data):
                return Verdict.MORE
            if data[at] != wanted:
                return self.no("no KV1 magic", at)
        if len(data) < 16:
            return Verdict.MORE
        wrong = wrong_at(data[:16])
        if wrong >= 0:
            return self.no("not a KV1 header", wrong)
        return Verdict.RESPONSE if data[4] == RecordType.RESPONSE else Verdict.REQUEST

    def message(self, stream: Stream, session: Session) -> Message | None:
        """A frame: header, key, value."""
        head = stream.take(16)
        if wrong_at(head) >= 0:
            raise NotThisProtocol("not a KV1 header")
        key_size, number, body_size = int.from_bytes(head[6:8]), int.from_bytes(head[8:12]), int.from_bytes(head[12:])
        key = stream.take(body_size)[:key_size]
        found = Message(type=RecordType(head[4]), request_id=number, stream_id=number)
        if head[4] != RecordType.RESPONSE:
            return {**found, "request_type": VERBS[head[5]], "request_resource": key}
        found["code"] = head[5]
        found["status"] = STATUS.get(head[5], Status.SERVER_ERROR)
        found["exception" if head[5] else "result"] = key
        return found


FACTORY = parser_factory(KV1, type="kv1", protocols=[(201, "KV1")], ports=(7741,), pairing=Pairing.KEYED)
