"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_kafka.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _i16(number: int) -> bytes:
    return number.to_bytes(2, "big", signed=True)


def _i32(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def _text(text: str) -> bytes:
    return _i16(len(text)) + text.encode()


def _compact(text: str) -> bytes:
    return bytes([len(text) + 1]) + text.encode()


def _request(key: int, version: int, correlation: int, body: bytes, *, tags: bytes = b"") -> bytes:
    """A request; `tags`: the empty tagged fields of a flexible version's head."""
    message = _i16(key) + _i16(version) + _i32(correlation) + _text("shop") + tags + body
    return _i32(len(message)) + message


def _response(correlation: int, body: bytes) -> bytes:
    return _i32(4 + len(body)) + _i32(correlation) + body


def _batch(name: bytes, value: bytes) -> bytes:
    """A batch of one record with one header; lengths in the record are numbers of one byte with the sign lowest."""
    small = lambda number: bytes([number << 1])  # noqa: E731
    header = small(len(name)) + name + small(len(value)) + value
    record = b"\0\0\0\x01" + small(5) + b"value" + small(1) + header
    size = len(record) << 1
    records = bytes([size & 0x7F | 0x80, size >> 7]) + record
    rest = (
        _i32(-1)
        + b"\x02"
        + _i32(0)
        + _i16(0)
        + _i32(0)
        + bytes(16)
        + bytes(8)
        + _i16(-1)
        + _i32(-1)
        + _i32(1)
        + records
    )
    return bytes(8) + _i32(len(rest)) + rest


def _produce(correlation: int, acks: int, topic: str, records: bytes) -> bytes:
    body = _i16(-1) + _i16(acks) + _i32(1000) + _i32(1) + _text(topic) + _i32(1) + _i32(3)
    return _request(0, 3, correlation, body + _i32(len(records)) + records)


def _produced(correlation: int, topic: str, error: int) -> bytes:
    body = _i32(1) + _text(topic) + _i32(1) + _i32(3) + _i16(error) + bytes(16) + _i32(0)
    return _response(correlation, body)


HEARTBEAT = _text("billing") + _i32(1) + _text("member")
VERSIONS = _compact("lib") + _compact("1.2") + b"\0"
DIALOGUES: dict[str, Dialogue] = {
    "produce": [
        ("c", _produce(1, -1, "orders", _batch(b"traceparent", TRACEPARENT)) + _produce(2, 0, "log", b"")),
        ("s", _produced(1, "orders", 0)),
        ("c", _produce(3, 1, "nowhere", b"")),
        ("s", _produced(3, "nowhere", 3)),
    ],
    "versions": [
        ("c", _request(18, 4, 1, VERSIONS, tags=b"\0")),
        ("s", _response(1, _i16(35) + _i32(1) + _i16(18) + _i16(0) + _i16(3))),
        ("c", _request(18, 3, 2, VERSIONS, tags=b"\0")),
        ("s", _response(2, _i16(0) + b"\x02" + _i16(18) + _i16(0) + _i16(3) + b"\0" + _i32(0) + b"\0")),
    ],
    "group": [
        ("c", _request(12, 0, 7, HEARTBEAT) + _request(13, 0, 8, _text("billing") + _text("member"))),
        ("s", _response(7, _i16(27)) + _response(8, _i16(0))),
    ],
    "login": [
        ("c", _request(17, 1, 1, _text("PLAIN"))),
        ("s", _response(1, _i16(0) + _i32(1) + _text("PLAIN"))),
        ("c", _request(36, 0, 2, _i32(13) + b"\0alice\0s3cret")),
        ("s", _response(2, _i16(58) + _text("Authentication failed") + _i32(0))),
    ],
    "later": [
        ("c", _request(12, 0, 1, HEARTBEAT) + _request(120, 0, 2, b"?")),
        ("s", _response(1, _i16(0)) + _response(2, b"?")),
    ],
}


class TestKafkaParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "mysql": b"\x4a\x00\x00\x00\x0a8.0.32\x00",
        "postgresql": _i32(8) + _i32(80877103),
        "zookeeper": _i32(45) + bytes(12) + _i32(30000) + bytes(8) + _i32(16) + bytes(17),
        "a request with bytes behind its fields": _request(12, 0, 1, HEARTBEAT + b"?"),
        "an API that does not exist": _request(500, 0, 1, b""),
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
