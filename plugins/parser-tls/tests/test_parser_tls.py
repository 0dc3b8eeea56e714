"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_tls.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + _part(body)


def _part(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body


def _extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _part(body)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _hello(name: bytes, *more: bytes) -> bytes:
    extensions = _extension(0, _part(b"\0" + _part(name))) + _extension(16, _part(b"\2h2")) + b"".join(more)
    return _message(1, b"\3\3" + bytes(32) + b"\4abcd" + _part(b"\x13\1\xc0\x2f") + b"\1\0" + _part(extensions))


def _chosen(cipher: int, session: bytes, *extensions: bytes) -> bytes:
    head = b"\3\3" + b"\7" * 32 + bytes([len(session)]) + session
    return _message(2, head + cipher.to_bytes(2, "big") + b"\0" + _part(b"".join(extensions)))


OFFERS_13, CHOOSES_13 = _extension(43, b"\4\3\4\3\3"), _extension(43, b"\3\4")
CCS, FINISHED, DATA = _record(20, b"\1"), _record(22, b"\xee" * 40), _record(23, b"\xdd" * 60)
DIALOGUES: dict[str, Dialogue] = {
    "thirteen": [
        ("c", _record(22, _hello(b"shop.example", OFFERS_13))),
        ("s", _record(22, _chosen(0x1301, b"abcd", CHOOSES_13)) + CCS + DATA),
        ("c", CCS + DATA + DATA),
        ("s", DATA),
    ],
    "twelve": [
        ("c", _record(22, _hello(b"shop.example"))),
        ("s", _record(22, _chosen(0xC02F, b"x" * 32) + _message(12, bytes(90))) + _record(22, _message(14, b""))),
        ("c", _record(22, _message(16, bytes(66))) + CCS + FINISHED),
        ("s", CCS + FINISHED),
    ],
    "resumed": [
        ("c", _record(22, _hello(b"a"))),
        ("s", _record(22, _chosen(0xC02F, b"abcd")) + CCS + FINISHED),
        ("c", CCS + FINISHED + DATA),
    ],
    "refused": [("c", _record(22, _hello(b"a"))), ("s", _record(21, b"\2\x28"))],
}


class TestTlsParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a record of application data": DATA,
        "an alert": _record(21, b"\2\x28"),
        "tls of version 2": b"\x16\x02\x00\x00\x20\x01\x00\x00\x1c\x02\x00",
        "a hello of no version": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x09\x03",
        "a client key exchange": _record(22, _message(16, bytes(66))),
        "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
