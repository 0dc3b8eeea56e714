"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_http2.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
END_STREAM, END_HEADERS = 1, 4


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _head(stream: int, flags: int = 0, /, *parts: bytes, **fields: str) -> bytes:
    """HEADERS with these fields, each added to the table; `_` stands for `-` and a leading one for a colon."""
    block = b"".join(parts)
    for key, value in fields.items():
        name = f":{key[1:]}" if key.startswith("_") else key.replace("_", "-")
        block += b"\x40" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return _frame(1, flags | END_HEADERS, stream, block)


def _message(payload: bytes) -> bytes:
    return b"\0" + len(payload).to_bytes(4, "big") + payload


HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"\0\3\0\0\0\x64")
WELCOME = _frame(4, 0, 0, b"\0\3\0\0\0\x80") + _frame(4, 1, 0, b"")
CALL = _head(
    1, 0, _method="POST", _path="/shop.v1.Cart/Get", _authority="shop", content_type="application/grpc", traceparent=W3C
)
GRPC = {"_status": "200", "content_type": "application/grpc"}
DIALOGUES: dict[str, Dialogue] = {
    "plain": [
        (
            "c",
            HELLO
            + _head(
                1,
                0,
                _method="POST",
                _path="/api/v1/orders?id=7",
                _authority="shop.example",
                content_length="5",
                x_request_id="r-1",
                user_agent="curl/8",
                x_forwarded_for="192.0.2.7, 10.0.0.1",
                traceparent=W3C,
            )
            + _frame(0, END_STREAM, 1, b"hello"),
        ),
        ("s", WELCOME + _head(1, 0, _status="503", x_request_id="r-2", content_length="4") + _frame(0, 1, 1, b"busy")),
    ],
    "streams": [
        ("c", HELLO + _head(1, END_STREAM, _method="GET", _path="/1", _authority="a")),
        # The second head is indices into the table alone; the third is reset.
        ("c", _frame(1, 5, 3, b"\xc0\xbf\xbe") + _head(5, END_STREAM, b"\xc0", _path="/5")),
        ("s", WELCOME + _head(3, END_STREAM, _status="204") + _frame(3, 0, 5, b"\0\0\0\7")),
        ("s", _head(1, 0, _status="404") + _frame(0, 9, 1, b"\2no\0\0")),
    ],
    "unary": [
        ("c", HELLO + CALL + _frame(0, END_STREAM, 1, _message(b"abc"))),
        ("s", WELCOME + _head(1, 0, **GRPC) + _frame(0, 0, 1, _message(b"one"))),
        ("s", _head(1, END_STREAM, grpc_status="5", grpc_message="no%20such")),
    ],
    "streaming": [
        ("c", HELLO + CALL + _frame(0, 0, 1, _message(b"") + _message(b"b")[:3])),
        ("s", WELCOME + _head(1, 0, **GRPC) + b"".join(_frame(0, 0, 1, _message(b"x" * size)) for size in (0, 1, 300))),
        ("c", _frame(0, END_STREAM, 1, _message(b"b")[3:])),
        ("s", _head(1, END_STREAM, grpc_status="0")),
    ],
    "trailers-only": [
        ("c", HELLO + CALL + _frame(0, END_STREAM, 1, _message(b"abc"))),
        ("s", WELCOME + _head(1, END_STREAM, **GRPC, grpc_status="12")),
    ],
    "upgrade": [
        (
            "s",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            + WELCOME
            + _head(1, END_STREAM, _status="200"),
        ),
        ("c", HELLO + _head(3, END_STREAM, _method="GET", _path="/3")),
        ("s", _frame(1, 5, 3, b"\xbe")),
    ],
}


class TestHttp2Parser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http1": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "almost the preface": b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n",
        "a websocket": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "mysql": b"\x4a\x00\x00\x00\x0a8.0.32\x00",
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
