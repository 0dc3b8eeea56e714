"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_postgresql.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _say(kind: str, *body: bytes) -> bytes:
    text = b"".join(body)
    return kind.encode() + (len(text) + 4).to_bytes(4, "big") + text


def _packet(code: int, body: bytes = b"") -> bytes:
    return (len(body) + 8).to_bytes(4, "big") + code.to_bytes(4, "big") + body


def _query(text: str) -> bytes:
    return _say("Q", text.encode(), b"\0")


def _columns(*names: str) -> bytes:
    return _say("T", len(names).to_bytes(2, "big"), *(name.encode() + bytes(19) for name in names))


def _row(*values: bytes) -> bytes:
    return _say("D", len(values).to_bytes(2, "big"), *(len(value).to_bytes(4, "big") + value for value in values))


READY = _say("Z", b"I")
LOGIN: Dialogue = [
    ("c", _packet(80877103)),
    ("s", b"N"),
    ("c", _packet(0x30000, b"user\0bob\0database\0shop\0application_name\0till\0\0")),
    ("s", _say("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")),
    ("c", _say("p", b"SCRAM-SHA-256\0\0\0\0\3n,,")),
    ("s", _say("R", bytes(4)) + _say("S", b"server_version\x0015.4\0") + _say("K", b"\0\0\1\2\0\0\0\t") + READY),
]
PARSE = _say("P", b"s\0SELECT name FROM shop.orders WHERE id = $1\0\0\0")
RUN = _say("B", b"\0s\0\0\0\0\1\0\0\0\x015\0\0") + _say("D", b"P\0") + _say("E", b"\0\0\0\0\0") + _say("S")
DIALOGUES: dict[str, Dialogue] = {
    "simple": [
        *LOGIN,
        ("c", _query(f"SELECT name FROM shop.orders /*traceparent='{W3C}'*/")),
        ("s", _columns("name") + _row(b"a") + _row(b"abcd") + _say("C", b"SELECT 2\0") + READY),
        ("c", _query("asdsdfdsf;")),
        ("s", _say("E", b"SERROR\0VERROR\0C42601\0Msyntax error\0P1\0\0") + READY),
        ("c", _query("INSERT INTO t VALUES (1); DELETE FROM t")),
        ("s", _say("C", b"INSERT 0 1\0") + _say("C", b"DELETE 4\0") + _say("Z", b"T")),
        ("c", _say("X")),
    ],
    "extended": [
        *LOGIN,
        ("c", PARSE + RUN),
        ("s", _say("1") + _say("2") + _columns("name") + _row(b"a") + _say("C", b"SELECT 1\0") + READY),
        ("c", RUN),
        ("s", _say("2") + _columns("name") + _say("E", b"SERROR\0VERROR\0C57014\0Mcanceled\0\0") + READY),
        ("c", _say("C", b"Ss\0") + _say("S")),
        ("s", _say("3") + READY),
    ],
    "copy": [
        *LOGIN,
        ("c", _query("COPY t FROM STDIN")),
        ("s", _say("G", b"\0\0\1\0\0")),
        ("c", _say("d", b"1\n") + _say("d", b"2\n") + _say("c")),
        ("s", _say("C", b"COPY 2\0") + READY),
    ],
    "cancel": [("c", _packet(80877102, b"\0\0\1\2\0\0\0\t"))],
    "encrypted": [("c", _packet(80877103)), ("s", b"S"), ("c", b"\x16\3\1\0\x05hello")],
    "joined": [("c", RUN), ("s", _say("2") + _columns("name") + _say("C", b"SELECT 0\0") + READY)],
}


class TestPostgresqlParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03",
        "mysql": b"\x4a\x00\x00\x00\x0a8.0.32\x00",
        "a startup packet of protocol 2": _packet(0x20000, bytes(288)),
        "kafka": b"\0\0\0\x20\0\x12\0\x03\0\0\0\x01\0\x07console",
        "a query of binary data": b"Q\0\0\0\x0c\1\2\3\4\5\6\7\0",
        "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
        "zeros": bytes(64),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
