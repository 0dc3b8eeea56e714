"""Conversations that were once told wrong: each stands in a capture of its own making, beside all the others."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from frames import Frame, Talk, write

import metaflow_core as mf

# MySQL


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


GREETING = packet(
    0,
    b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15"
    + bytes(10)
    + b"ijklmnopqrst\0caching_sha2_password\0",
)
SSL_REQUEST = packet(1, struct.pack("<IIB", 0x81BEAA0D, 1 << 24, 45) + bytes(23))
LOGIN = packet(1, struct.pack("<IIB", 0x80BEA20D, 1 << 24, 45) + bytes(23) + b"root\0\x14" + bytes(20) + b"shop\0x\0")
OK = packet(1, b"\0\0\0\2\0\0\0")
COLUMN = b"\x03def\x04shop\x01t\x01t\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0"
ROWS = packet(1, b"\1") + packet(2, COLUMN) + packet(3, b"\xfe\0\0\2\0") + packet(4, b"\0\0\5\0\0\0")
ROWS += packet(5, b"\xfe\0\0\2\0")
EXECUTE = packet(0, b"\x17\1\0\0\0\0\1\0\0\0\0\1\3\0\5\0\0\0")
FETCH = packet(0, b"\x1c\1\0\0\0\x0a\0\0\0")
FETCHED = packet(1, b"\0\0\5\0\0\0") + packet(2, b"\xfe\0\0\2\0")

# TLS


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + struct.pack(">H", len(body)) + body


def client_hello(name: bytes) -> bytes:
    server_name = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    extensions = server_name + b"\0\x2b\0\3\2\3\4"
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack(">H", len(extensions)) + extensions
    return record(22, b"\1" + len(body).to_bytes(3, "big") + body)


HELLO = client_hello(b"db.shop.test")
_SERVER = b"\3\3" + bytes(32) + b"\0\x13\1\0\0\6\0\x2b\0\2\3\4"
SERVER_HELLO = record(22, b"\2" + len(_SERVER).to_bytes(3, "big") + _SERVER) + record(23, bytes(64))

# DNS


def dns(ident: int, name: str, flags: int, address: bytes = b"") -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    head = struct.pack(">HHHHHH", ident, flags, 1, bool(address), 0, 0) + labels + b"\0\0\1\0\1"
    return head + (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address if address else b"")


QUERY, ANSWER = dns(7, "www.shop.test", 0x0100), dns(7, "www.shop.test", 0x8180, bytes([1, 2, 3, 4]))


def framed(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def netbios(ident: int, flags: int, address: bytes = b"") -> bytes:
    letters = "".join(chr(65 + (byte >> 4)) + chr(65 + (byte & 15)) for byte in b"FILESRV        \x20")
    counts = (0, 1) if address else (1, 0)
    head = struct.pack(">HHHHHH", ident, flags, *counts, 0, 0) + b"\x20" + letters.encode() + b"\0\0\x20\0\1"
    return head + (b"\0\0\1\x2c\0\6\0\0" + address if address else b"")


# HTTP and Redis

CONNECT = "CONNECT db.shop.test:443 HTTP/1.1\r\nHost: db.shop.test:443\r\n\r\n"
OPEN = "HTTP/1.1 200 Connection established\r\n\r\n"
GET = "GET /in HTTP/1.1\r\nHost: a.test\r\n\r\n"
FOUND = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"


def resp(*words: str) -> str:
    return f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)


#: A name, the conversation, and the rows that it is: protocol, type, what was asked, code.
CASES: Sequence[tuple[str, Talk, Sequence[tuple[str, str, str, int | None]]]] = [
    (
        "MySQL asks for TLS and begins it in one segment",
        Talk(20001).open().s(GREETING).c(SSL_REQUEST + HELLO).s(SERVER_HELLO).close(),
        [("MySQL", "session", "SSL_REQUEST ", None), ("TLS", "session", "Client Hello db.shop.test", None)],
    ),
    (
        "the same, cut inside the hello",
        Talk(20002).open().s(GREETING).c(SSL_REQUEST + HELLO, 50).s(SERVER_HELLO).close(),
        [("MySQL", "session", "SSL_REQUEST ", None), ("TLS", "session", "Client Hello db.shop.test", None)],
    ),
    (
        "prepared statements met in the middle, away from 3306",
        Talk(20003).c(EXECUTE).s(ROWS).c(FETCH).s(FETCHED),
        [("MySQL", "session", "COM_STMT_EXECUTE ", None), ("MySQL", "session", "COM_STMT_FETCH ", None)],
    ),
    (
        "a ping met in the middle",
        Talk(20004).c(packet(0, b"\x0e")).s(OK),
        [("MySQL", "session", "COM_PING ", None)],
    ),
    (
        "DNS over TCP, the length alone in its segment",
        Talk(20005).open().c(framed(QUERY)[:2]).c(QUERY).s(framed(ANSWER), 1).close(),
        [("DNS", "session", "A www.shop.test", 0)],
    ),
    (
        "DNS over TCP, the capture began behind the length",
        Talk(20006).c(QUERY).s(framed(ANSWER)).c(framed(QUERY)).s(framed(ANSWER)),
        [("DNS", "session", "A www.shop.test", 0)] * 2,
    ),
    (
        "a name asked of one host",
        Talk(137, client_port=137, client="10.0.1.1", udp=True)
        .c(netbios(9, 0))
        .s(netbios(9, 0x8500, bytes([10, 0, 0, 2]))),
        [("DNS", "session", "NB FILESRV<20>", 0)],
    ),
    (
        "HTTP through a tunnel",
        Talk(20008).open().c(CONNECT).s(OPEN).c(GET).s(FOUND).close(),
        [("HTTP", "session", "CONNECT db.shop.test:443", 200), ("HTTP", "session", "GET /in", 404)],
    ),
    (
        "TLS through a tunnel",
        Talk(20009).open().c(CONNECT).s(OPEN).c(HELLO).s(SERVER_HELLO).close(),
        [
            ("HTTP", "session", "CONNECT db.shop.test:443", 200),
            ("TLS", "session", "Client Hello db.shop.test", None),
        ],
    ),
    (
        "a server that greets in the segment that opens the tunnel",
        Talk(20010).open().c(CONNECT).s(OPEN.encode() + GREETING).c(LOGIN).s(packet(2, OK[4:])).close(),
        [
            ("HTTP", "session", "CONNECT db.shop.test:443", 200),
            ("MySQL", "session", "LOGIN user=root database=shop", None),
        ],
    ),
    (
        "a body that was refused and left out",
        Talk(20011)
        .open()
        .c("PUT /big HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n")
        .s("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        .c(GET)
        .s(FOUND)
        .close(),
        [("HTTP", "session", "PUT /big", 417), ("HTTP", "session", "GET /in", 404)],
    ),
    (
        "a command of an unknown module first",
        Talk(20012).open().c(resp("MYMOD.RUN", "k")).s("+OK\r\n").c(resp("GET", "k")).s("$1\r\nx\r\n").close(),
        [("Redis", "session", "MYMOD.RUN MYMOD.RUN k", None), ("Redis", "session", "GET GET k", None)],
    ),
    (
        "commands typed by hand",
        Talk(20013).open().c("SET k 1\r\n").s("+OK\r\n").c("GET k\r\n").s("$1\r\n1\r\n").close(),
        [("Redis", "session", "SET SET k 1", None), ("Redis", "session", "GET GET k", None)],
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, list[tuple[str, str, str, int | None]]]:
    """The rows of every case, by its number."""
    frames: list[Frame] = []
    where = {}
    for number, (_, talk, _) in enumerate(CASES):
        frames += talk.frames
        where[talk.port, talk.client] = number
    path = write(tmp_path_factory.mktemp("known") / "all.pcap", sorted(frames, key=lambda frame: frame.time_ns))
    rows: dict[int, list[Any]] = defaultdict(list)
    for row in mf.read_pcap(Path(path)).table("l7_flow_log").to_arrow().to_pylist():
        # A login's rows have no code when they are good: told as none, whatever stands for it.
        what = f"{row['request_type']} {row['request_resource']}"
        number = where[row["server_port"], row["ip_0"]]
        rows[number].append((row["l7_protocol"], row["type"], what, row["response_code"]))
    return rows


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name for name, _, _ in CASES])
def test_it_is_told_as_it_was(number: int, found: Mapping[int, list[Any]]) -> None:
    assert found[number] == list(CASES[number][2])


def test_broadcasts_and_multicasts_are_named_and_stand_alone(rows: Any) -> None:
    talks = [
        Talk(137, client_port=137, server="10.0.0.255", udp=True).c(netbios(1, 0x0110)),
        Talk(137, client_port=137, client="10.0.0.1", udp=True).s(netbios(1, 0x8500, bytes([10, 0, 0, 2]))),
        Talk(5355, client_port=50001, server="224.0.0.252", udp=True).c(dns(2, "printer", 0)),
        Talk(5353, client_port=5353, server="224.0.0.251", udp=True).c(dns(0, "printer.local", 0)),
    ]
    frames = [frame.later(at * 10) for at, talk in enumerate(talks) for frame in talk.frames]
    found = {(row["ip_1"], row["type"], dict(row["attributes"])["dns_variant"]) for row in rows(frames)}
    assert found == {
        ("10.0.0.255", "session", "nbns"),
        ("10.0.0.2", "response", "nbns"),
        ("224.0.0.252", "session", "llmnr"),
        ("224.0.0.251", "session", "mdns"),
    }


@pytest.mark.parametrize("form", ["/* {} */ SELECT 1", "SELECT 1 /*{}*/", "SELECT 1 -- {}", "-- {}\nSELECT 1"])
def test_comments_of_sql_carry_traces(form: str, rows: Any) -> None:
    parent = "traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'"
    sky = "sw8: 1-MWU1LjE2MjY-ZGI4NTIuOC4xNg==-3-c2Vydg==-aW5z-L2FwaQ==-MTI3LjAuMC4xOjMzMDY="
    talk = Talk(3306).open().s(GREETING).c(LOGIN).s(packet(2, OK[4:]))
    for carried in (parent, sky):
        talk.c(packet(0, b"\3" + form.format(carried).encode())).s(OK)
    ids = [(row["trace_id"], row["span_id"]) for row in rows(talk.frames) if row["request_type"] == "COM_QUERY"]
    assert ids == [("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), ("1e5.1626", "db852.8.16-3")]
