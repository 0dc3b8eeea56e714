"""Captures of real servers of which one direction was seen: every request, or every response, is a row of its own."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest

import metaflow_core as mf

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
CAPTURES = PLUGINS / "engine-flow" / "tests" / "captures"
#: Protocol, capture, the server's port.
CASES = [
    ("HTTP", CAPTURES / "http.pcap", 8080),
    ("Redis", CAPTURES / "redis.pcap", 6379),
    ("MySQL", CAPTURES / "mysql.pcap", 3306),
    ("DNS", CAPTURES / "dns.pcap", 5353),
]


def types(data: bytes, path: Path) -> Counter[str]:
    path.write_bytes(data)
    rows = mf.read_pcap(str(path)).table("l7_flow_log").to_arrow().to_pylist()
    return Counter(row["type"] for row in rows)


def one_direction(data: bytes, port: int, *, of_the_server: bool) -> bytes:
    """The frames (Ethernet, IPv4) that come from the server, or go to it."""
    out, at = [data[:24]], 24
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + length]
        ports = 14 + (frame[14] & 15) * 4
        if struct.unpack_from(">H", frame, ports + (0 if of_the_server else 2))[0] == port:
            out.append(data[at : at + 16 + length])
        at += 16 + length
    return b"".join(out)


@pytest.mark.parametrize(("protocol", "capture", "port"), CASES, ids=[case[0] for case in CASES])
def test_each_direction_alone_tells_its_half(protocol: str, capture: Path, port: int, tmp_path: Path) -> None:
    data = capture.read_bytes()
    path = tmp_path / "part.pcap"
    whole = types(data, path)
    asked = types(one_direction(data, port, of_the_server=False), path)
    told = types(one_direction(data, port, of_the_server=True), path)
    # What MySQL's clients say without an answer (COM_QUIT, COM_STMT_CLOSE) stands alone in either view.
    alone = asked.pop("session", 0)
    assert asked == {"request": whole["session"] - alone}
    assert told == {"response": whole["session"] - alone}
