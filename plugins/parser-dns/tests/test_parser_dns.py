"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_dns.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue

QUERY, ANSWER = 0x0100, 0x8180


def message(number: int, flags: int, name: str, kind: int, *answers: tuple[int, bytes]) -> bytes:
    """A message with one question and its answers, behind its length as on TCP."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    data = struct.pack(">6H", number, flags, 1, len(answers), 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)
    for record, rdata in answers:
        data += struct.pack(">3HIH", 0xC00C, record, 1, 60, len(rdata)) + rdata
    return struct.pack(">H", len(data)) + data


DIALOGUES: dict[str, Dialogue] = {
    "lookup": [
        ("c", message(1, QUERY, "www.example.com", 1)),
        ("s", message(1, ANSWER, "www.example.com", 1, (5, b"\x03web\xc0\x10"), (1, b"\xc0\x00\x02\x01"))),
    ],
    "pipelined": [
        ("c", message(1, QUERY, "a.example", 28) + message(2, QUERY, "b.example", 16)),
        ("s", message(2, ANSWER, "b.example", 16, (16, b"\x02hi")) + message(1, ANSWER | 3, "a.example", 28)),
    ],
    "refused": [("c", message(7, QUERY, "c.example", 255)), ("s", message(7, ANSWER | 5, "c.example", 255))],
}


class TestDnsParser(ParserContract):
    """The contract, with dialogues over TCP (datagrams are not split; they are in the Rust tests)."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(60)),
        "zeros": bytes(64),
        "short": b"\x00\x05abcde",
        "reserved bit": message(1, QUERY | 0x40, "a.example", 1),
        "opcode": message(1, 0x7800, "a.example", 1),
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")
