"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_dubbo.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _frame(flags: int, status: int, number: int, body: bytes) -> bytes:
    return b"\xda\xbb" + bytes([flags, status]) + number.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


def _text(text: str) -> bytes:
    """A text of Hessian 2."""
    size = len(text)
    return (bytes([size]) if size < 32 else bytes([0x30 + (size >> 8), size & 255])) + text.encode()


def _call(number: int, method: str, *, flags: int = 0xC2, **attachments: str) -> bytes:
    head = b"".join(map(_text, ("2.0.2", "shop.Cart", "1.0.0", method, "Ljava/lang/String;", "book")))
    pairs = b"".join(_text(key) + _text(value) for key, value in attachments.items())
    return _frame(flags, 0, number, head + b"H" + pairs + b"Z")


THROWN = b"\x93C" + _text("java.lang.IllegalStateException") + b"\x91" + _text("detailMessage") + b"\x60" + _text("no")
JSON = f'"2.0.2"\n"shop.Cart"\n"1.0.0"\n"add"\n"I"\n7\n{{"traceparent":"{W3C}"}}\n'.encode()
DIALOGUES: dict[str, Dialogue] = {
    "calls": [
        ("c", _call(1, "add", traceparent=W3C, group="blue") + _call(2, "drop")),
        ("s", _frame(2, 20, 2, b"\x91" + _text("done")) + _frame(2, 20, 1, b"\x92")),
    ],
    "errors": [
        ("c", _call(3, "none") + _call(4, "fail")),
        ("s", _frame(2, 60, 3, _text("not found")) + _frame(2, 20, 4, THROWN + b"HZ")),
    ],
    "one-way": [("c", _call(5, "log", flags=0x82)), ("s", _frame(0xA2, 0, 6, b"\x01R"))],
    "heartbeats": [
        ("c", _frame(0xE2, 0, 1, b"N")),
        ("s", _frame(0xE2, 0, 1, b"N") + _frame(0x22, 20, 1, b"N")),
        ("c", _frame(0x22, 20, 1, b"N") + _call(2, "add")),
        ("s", _frame(2, 20, 2, b"\x92")),
    ],
    "fastjson": [("c", _frame(0xC6, 0, 9, JSON)), ("s", _frame(6, 20, 9, b'1\n"done"\n'))],
}


class TestDubboParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "half a magic": b"\xda\xbc\xc2\x00" + bytes(12),
        "a request with a status": b"\xda\xbb\xc2\x14" + bytes(12),
        "a response without one": b"\xda\xbb\x02\x00" + bytes(12),
        "bolt": b"\x01\x01\x00\x01\x01" + bytes(20),
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
