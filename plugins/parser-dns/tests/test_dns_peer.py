"""A real dnsmasq on loopback, a real capture: the rows are what was asked and what the server answered."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay, running

RECORDS = [
    "--address=/a.test/192.0.2.1",
    "--address=/a.test/2001:db8::1",
    "--txt-record=txt.test,hello world",
    "--mx-host=mx.test,mail.test,10",
    "--srv-host=_http._tcp.test,web.test,80,1,2",
    "--local=/nx.test/",
]
# name, type, what the row must say: code, exception, answers
ASKED = [
    ("a.test", 1, "A", 0, "", "192.0.2.1"),
    ("sub.a.test", 28, "AAAA", 0, "", "2001:db8::1"),
    ("txt.test", 16, "TXT", 0, "", '"hello world"'),
    ("mx.test", 15, "MX", 0, "", "10 mail.test"),
    ("_http._tcp.test", 33, "SRV", 0, "", "1 2 80 web.test"),
    ("no.nx.test", 1, "A", 3, "NXDomain", ""),
    ("elsewhere.example", 1, "A", 5, "Refused", ""),
]


NEEDS = peers_missing("dnsmasq", "tcpdump", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _query(number: int, name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def _exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        assert piece, "the server closed the connection"
        data += piece
    return data


def _talk(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(5)
        datagrams.connect(("127.0.0.1", port))
        for number, (name, kind, *_) in enumerate(ASKED * 10):
            datagrams.send(_query(number, name, kind))
            datagrams.recv(4096)
    queries = [_query(1000 + number, name, kind) for number, (name, kind, *_) in enumerate(ASKED)]
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        # all in one write, and a length cut from its message
        data = b"".join(struct.pack(">H", len(query)) + query for query in queries)
        stream.sendall(data[:1])
        time.sleep(0.05)
        stream.sendall(data[1:])
        for _ in queries:
            _exactly(stream, int.from_bytes(_exactly(stream, 2), "big"))


def test_rows_are_what_was_asked_and_answered(tmp_path: Path) -> None:
    """Ten rounds over UDP and one over TCP: each question is one paired row with its answer."""
    port, capture = free_port(), tmp_path / "dns.pcap"
    options = ["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"]
    options += ["--listen-address=127.0.0.1", f"--port={port}", "--user=root", f"--pid-file={tmp_path}/pid"]
    with running("dnsmasq", *options, *RECORDS) as server:
        server.wait_for(port)
        with recorded(capture, f"port {port}"):
            _talk(port)
    rows = replay(capture, parsers=["dns"])
    columns = ("endpoint", "request_type", "response_code", "response_exception", "response_result")
    found = Counter(tuple(row[column] for column in columns) for row in rows)
    assert found == Counter({(name, *rest): 11 for name, _, *rest in ASKED})
    assert {row["type"] for row in rows} == {"session"}
    for row in rows:
        asks_for_addresses = row["request_type"] in ("A", "AAAA")
        assert row["request_domain"] == (row["endpoint"] if asks_for_addresses else "")
    assert sum(row["protocol"] == "TCP" for row in rows) == len(ASKED)
