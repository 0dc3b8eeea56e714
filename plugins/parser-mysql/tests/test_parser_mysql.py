"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_mysql.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

CLASSIC = 1 | 1 << 9 | 1 << 15 | 1 << 19
COMPRESS = 1 << 5
DEPRECATE_EOF = 1 << 24
COLUMN = b"\x03def\x01d\x01t\x01t\x01c\x01c\x0c\x21\x00\x0c\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
EOF = b"\xfe\x00\x00\x02\x00"
OK = b"\x00\x00\x00\x02\x00\x00\x00"


def _packets(first: int, *payloads: bytes) -> bytes:
    """Payloads as packets with sequence numbers from ``first`` on."""
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes([(first + number) % 256]) + payload
        for number, payload in enumerate(payloads)
    )


def _login(caps: int) -> Dialogue:
    """Greeting, login, agreement."""
    greeting = (
        b"\x0a8.0.36\x00\x07\x00\x00\x00abcdefgh\x00"
        + caps.to_bytes(4, "little")[:2]
        + b"\x21\x02\x00"
        + caps.to_bytes(4, "little")[2:]
        + b"\x15"
        + bytes(10)
        + b"ijklmnopqrst\x00caching_sha2_password\x00"
    )
    login = caps.to_bytes(4, "little") + b"\x00\x00\x00\x01\x21" + bytes(23) + b"bob\x00\x04hash" + b"sha\x00"
    return [("s", _packets(0, greeting)), ("c", _packets(1, login)), ("s", _packets(2, OK))]


def _compressed(number: int, plain: bytes) -> bytes:
    body = zlib.compress(plain)
    return len(body).to_bytes(3, "little") + bytes([number]) + len(plain).to_bytes(3, "little") + body


_SELECT = _packets(0, b"\x03SELECT name FROM shop.orders WHERE id = 7 /* trace_id=abc */")
_ROWS = _packets(1, b"\x01", COLUMN, EOF, b"\x01a", b"\x02bc", EOF)
_EXECUTE = _packets(0, b"\x17\x09\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x03\x00\x2a\x00\x00\x00")

DIALOGUES: dict[str, Dialogue] = {
    "query": [
        *_login(CLASSIC),
        ("c", _SELECT),
        ("s", _ROWS),
        ("c", _packets(0, b"\x03UPDATE orders SET name = 'x'")),
        ("s", _packets(1, b"\x00\x05\x00\x02\x00\x01\x00")),
        ("c", _packets(0, b"\x03SELECT nope")),
        ("s", _packets(1, b"\xff\x1e\x04#42S22Unknown column 'nope' in 'field list'")),
        ("c", _packets(0, b"\x01")),
    ],
    "deprecate_eof": [
        *_login(CLASSIC | DEPRECATE_EOF),
        ("c", _SELECT),
        ("s", _packets(1, b"\x01", COLUMN, b"\x01a", b"\xfe\x00\x00\x02\x00\x00\x00")),
    ],
    "prepared": [
        *_login(CLASSIC),
        ("c", _packets(0, b"\x16DELETE FROM orders WHERE id = ?")),
        ("s", _packets(1, b"\x00\x09\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00", COLUMN, EOF)),
        ("c", _EXECUTE),
        ("s", _packets(1, b"\x00\x01\x00\x02\x00\x00\x00")),
        ("c", _packets(0, b"\x19\x09\x00\x00\x00")),
        ("c", _packets(0, b"\x0e")),
        ("s", _packets(1, OK)),
    ],
    "compressed": [*_login(CLASSIC | COMPRESS), ("c", _compressed(0, _SELECT)), ("s", _compressed(1, _ROWS * 1))],
    "middle": [("c", _SELECT), ("s", _ROWS), ("c", _packets(0, b"\x16SELECT 1")), ("s", _packets(1, b"\x00" * 12))],
}


class TestMysqlParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03",
        "no_sql": _packets(0, b"\x03hello world"),
        "no_command": _packets(0, b"\x7fabc"),
        "postgresql": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
