"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_mqtt.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue


def _packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


CONNECT = _packet(0x10, _text("MQTT"), b"\4\x82\0\x3c", _text("till-7"), _text("bob"))
CONNECT5 = _packet(0x10, _text("MQTT"), b"\5\2\0\x3c\0", _text("till-7"))
DIALOGUES: dict[str, Dialogue] = {
    "qos": [
        ("c", CONNECT),
        ("s", _packet(0x20, b"\0\0")),
        (
            "c",
            _packet(0x30, _text("a/0"), b"x")
            + _packet(0x32, _text("a/1"), b"\0\1x")
            + _packet(0x34, _text("a/2"), b"\0\2x"),
        ),
        ("s", _packet(0x40, b"\0\1") + _packet(0x50, b"\0\2")),
        ("c", _packet(0x62, b"\0\2")),
        ("s", _packet(0x70, b"\0\2") + _packet(0x33, _text("b"), b"\0\1y")),
        ("c", _packet(0x40, b"\0\1") + _packet(0xE0)),
    ],
    "subscribed": [
        ("c", CONNECT),
        ("s", _packet(0x20, b"\0\0")),
        ("c", _packet(0x82, b"\0\x09", _text("a/+"), b"\0", _text("b/#"), b"\2")),
        ("s", _packet(0x90, b"\0\x09\0\x80")),
        ("c", _packet(0xA2, b"\0\x0a", _text("a/+")) + _packet(0xC0)),
        ("s", _packet(0xB0, b"\0\x0a") + _packet(0xD0)),
    ],
    "five": [
        ("c", CONNECT5),
        ("s", _packet(0x20, b"\0\0\0")),
        ("c", _packet(0x32, _text("long/topic"), b"\0\1\x0f\x23\0\7\x26", _text("b3"), _text("a-b-1"), b"x")),
        ("s", _packet(0x40, b"\0\1\x10\0")),
        ("c", _packet(0x30, _text(""), b"\3\x23\0\7y")),
        ("s", _packet(0xE0, b"\x8b\0")),
    ],
    "refused": [("c", CONNECT), ("s", _packet(0x20, b"\0\5"))],
    "joined": [("c", _packet(0x32, _text("a/1"), b"\0\1x")), ("s", _packet(0x40, b"\0\1"))],
}


class TestMqttParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03",
        "almost mqtt": _packet(0x10, _text("MQTT"), b"\x09\2\0\x3c", _text("a")),
        "another name": _packet(0x10, _text("MQXX"), b"\4\2\0\x3c", _text("a")),
        "a publication on a wildcard": _packet(0x30, _text("a/#"), b"x"),
        "amqp": b"AMQP\0\0\x09\1",
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
