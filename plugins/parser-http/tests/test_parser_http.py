"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_http.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

W3C = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DIALOGUES: dict[str, Dialogue] = {
    "simple": [
        (
            "c",
            b"POST /api/v1/orders?id=7 HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nX-Request-ID: r-1\r\n"
            b"User-Agent: curl/8\r\nX-Forwarded-For: 192.0.2.7, 10.0.0.1\r\ntraceparent: " + W3C + b"\r\n\r\nhello",
        ),
        ("s", b"HTTP/1.1 503 Busy\r\nX-Request-ID: r-2\r\nContent-Length: 4\r\n\r\nbusy"),
    ],
    "pipelined": [
        (
            "c",
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.0\r\nHost: a\r\n\r\n",
        ),
        (
            "s",
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"
                b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
            ),
        ),
    ],
    "chunked": [
        ("c", b"PUT /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"),
        ("s", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("c", b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET /next HTTP/1.1\r\n\r\n"),
        ("s", b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
    ],
    "websocket": [
        ("c", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        ("s", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"),
        ("c", b"\x81\x82\x01\x02\x03\x04ab"),
    ],
    "connect": [
        ("c", b"CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n"),
        ("s", b"HTTP/1.1 200 Connection established\r\n\r\n"),
    ],
}


class TestHttpParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    # A WebSocket's bytes are told when the session is closed, which the suite's batch-by-batch run does not do.
    dialogues = {name: talk for name, talk in DIALOGUES.items() if name != "websocket"}
    look_alikes = {
        "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "rtsp": b"OPTIONS rtsp://a.example/b RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        "sip": b"INVITE sip:bob@example.com SIP/2.0\r\nVia: x\r\n\r\n",
        "icy": b"ICY 200 OK\r\nicy-name: x\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "smtp": b"EHLO mail.example\r\n",
        "text": b"FOO /a HTTP/1.1\r\n<html>not a header</html>\r\n",
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
