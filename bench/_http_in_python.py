"""HTTP/1 in twenty lines of Python: what a parser written in Python costs."""

from __future__ import annotations

from metaflow_core.api import ParserConfig
from metaflow_core.api.python_parser import PythonParser, Session, Stream, parser_factory
from metaflow_core.api.wire import Check, Message, Segment, Status, Verdict

METHODS = (b"GET ", b"POST ", b"HEAD ", b"PUT ")


class Http(PythonParser[ParserConfig]):
    """Requests and responses with a content length."""

    magics = (b"GET ", b"POST ", b"HTTP/1.")

    def check(self, data: bytes, segment: Segment) -> Check | Verdict:
        if data.startswith(METHODS):
            return Verdict.REQUEST
        return Verdict.RESPONSE if data.startswith(b"HTTP/1.") else self.no("neither a method nor a version")

    def message(self, stream: Stream, session: Session) -> Message | None:
        words = stream.line().split(b" ", 2)
        length = 0
        while header := stream.line():
            if header[:15].lower() == b"content-length:":
                length = int(header[15:])
        stream.skip(length)
        if stream.is_request:
            return {"request_type": words[0], "request_resource": words[1], "endpoint": words[1].partition(b"?")[0]}
        code = int(words[1])
        status = Status.OK if code < 400 else Status.CLIENT_ERROR if code < 500 else Status.SERVER_ERROR
        return {"code": code, "status": status}


factory = parser_factory(Http, type="http_in_python", protocols=[(20, "HTTP")], ports=(80, 8080))
