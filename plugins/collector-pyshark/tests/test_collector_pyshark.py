"""Wireshark's dissectors on a capture written here: a request, its answer, a name looked up."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from metaflow_collector_pyshark.collector import PysharkCollector
from metaflow_collector_pyshark.config import PysharkConfig
from metaflow_collector_pyshark.mapping import load_dissectors
from metaflow_collector_pyshark.plugin import metaflow_collectors

from metaflow_core.api import CollectorFactory, Kind
from metaflow_core.errors import InputError, UnavailableError
from metaflow_core.testing import CollectorContract, build_context, plain_rows

[FACTORY] = metaflow_collectors()
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def ip(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, target)
    return bytes(12) + b"\x08\x00" + head + payload


def tcp(source: bytes, target: bytes, ports: tuple[int, int], seq: int, ack: int, data: bytes) -> bytes:
    return ip(source, target, 6, struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, 0x18, 1000, 0, 0) + data)


def udp(source: bytes, target: bytes, ports: tuple[int, int], data: bytes) -> bytes:
    return ip(source, target, 17, struct.pack(">HHHH", *ports, 8 + len(data), 0) + data)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    request = b"GET /hello?x=1 HTTP/1.1\r\nHost: example.test\r\n\r\n"
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    name = b"\x07example\x04test\x00\x00\x01\x00\x01"
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + name
    refusal = struct.pack(">HHHHHH", 7, 0x8183, 1, 0, 0, 0) + name
    frames = [
        tcp(CLIENT, SERVER, (40000, 80), 1, 1, request),
        tcp(SERVER, CLIENT, (80, 40000), 1, 1 + len(request), answer),
        udp(CLIENT, SERVER, (40001, 53), query),
        udp(SERVER, CLIENT, (53, 40001), refusal),
    ]
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number, frame in enumerate(frames):
        out += struct.pack("<IIII", 1_700_000_000, number * 1000, len(frame), len(frame)) + frame
    path = tmp_path / "x.pcap"
    path.write_bytes(out)
    return path


async def read(path: Path, **options: Any) -> list[dict[str, Any]]:
    context = build_context(Kind.COLLECTOR, "pyshark")
    collector = PysharkCollector(context, PysharkConfig(files=[str(path)], **options))
    rows: list[dict[str, Any]] = []

    async def emit(batch: Any) -> None:
        assert batch.table == "flow_log.l7_message"
        rows.extend(plain_rows(batch.data))

    await collector.start()
    await collector.run(emit)
    await collector.stop()
    return rows


@needs_tshark
async def test_layers_become_messages(capture: Path) -> None:
    rows = await read(capture)
    short = [
        (
            row["l7_protocol"],
            row["type"],
            row["direction"],
            row["request_type"],
            row["request_domain"],
            row["response_code"],
        )
        for row in rows
    ]
    assert short == [
        (20, 0, 0, "GET", "example.test", None),
        (20, 1, 1, "", "", 404),
        (120, 0, 0, "1", "example.test", None),
        (120, 1, 1, "1", "example.test", 3),
    ]
    assert rows[0]["request_resource"] == "/hello?x=1"
    assert [row["server_port"] for row in rows] == [80, 80, 53, 53]
    assert rows[0]["flow_id"] == rows[1]["flow_id"] != rows[2]["flow_id"] == rows[3]["flow_id"]
    assert "http.request_uri" in rows[0]["attribute_names"]
    assert rows[0]["time_ns"] == 1_700_000_000_000_000_000


@needs_tshark
async def test_only_the_layers_that_are_wanted(capture: Path) -> None:
    assert {row["l7_protocol"] for row in await read(capture, layers=["dns"])} == {120}


@needs_tshark
async def test_display_filter_selects(capture: Path) -> None:
    assert len(await read(capture, filter="http.response")) == 1


@needs_tshark
async def test_attributes_are_bounded(capture: Path) -> None:
    rows = await read(capture, max_attributes=2, max_value_bytes=4)
    assert all(len(row["attribute_names"]) <= 2 for row in rows)
    assert all(len(value) <= 4 for row in rows for value in row["attribute_values"])


@needs_tshark
async def test_garbage_file_ends_with_a_count(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"no capture at all, really" * 10)
    assert await read(path) == []


async def test_missing_program_and_file_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="apt-get install tshark"):
        await read(tmp_path / "x", tshark="/nothing/tshark")
    if shutil.which("tshark"):
        with pytest.raises(InputError, match="there is no such file"):
            await read(tmp_path / "nothing.pcap")


def test_mapping_is_well_formed() -> None:
    assert {"http", "dns", "mysql"} <= set(load_dissectors())


@needs_tshark
class TestContract(CollectorContract):
    factory: CollectorFactory = FACTORY
    ends = True

    @pytest.fixture(autouse=True)
    def _capture(self, capture: Path) -> None:
        type(self).options = {"files": [str(capture)]}
