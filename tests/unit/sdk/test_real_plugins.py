"""Captures through the plugins that are really installed, and the examples as a reader would run them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from metaflow_core.sdk import App, read_pcap
from metaflow_core.sdk.app import App as _App

ROOT = Path(__file__).parents[3]

pytest.importorskip("metaflow_collector_pcap", reason="the plugin metaflow-collector-pcap is not installed")
pytest.importorskip("metaflow_engine_flow", reason="the plugin metaflow-engine-flow is not installed")
pytest.importorskip("metaflow_parser_dns", reason="the plugin metaflow-parser-dns is not installed")
pytest.importorskip("metaflow_storage_memory", reason="the plugin metaflow-storage-memory is not installed")


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _frame(source: bytes, target: bytes, ports: tuple[int, int], payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, source, target)
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return bytes(12) + b"\x08\x00" + head + udp


def names(count: int) -> bytes:
    """A capture in which a client asks for ``count`` names, each answered after a millisecond."""
    client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)]
    for n in range(count):
        name = f"host{n:04}".encode()
        question = bytes([len(name)]) + name + b"\x04test\x00" + struct.pack("!HH", 1, 1)
        asked = struct.pack("!HHHHHH", n, 0x0100, 1, 0, 0, 0) + question
        address = b"\xc0\x0c" + struct.pack("!HHIH4B", 1, 1, 60, 4, 192, 0, 2, n % 250)
        told = struct.pack("!HHHHHH", n, 0x8180, 1, 1, 0, 0) + question + address
        for offset, frame in (
            (0, _frame(client, server, (40_000 + n % 100, 53), asked)),
            (1000, _frame(server, client, (53, 40_000 + n % 100), told)),
        ):
            out.append(
                struct.pack("<IIII", 1_700_000_000 + n // 100, n % 100 * 5000 + offset, len(frame), len(frame)) + frame
            )
    return b"".join(out)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "names.pcap"
    path.write_bytes(names(300))
    return path


def test_questions_and_answers_are_paired_and_named(capture: Path) -> None:
    read = read_pcap(capture, parsers=["dns"])
    rows = list(read.requests())
    assert len(rows) == 300
    assert {row["l7_protocol"] for row in rows} == {"DNS"}
    assert {row["request_resource"] for row in rows} == {f"host{n:04}.test" for n in range(300)}
    assert {row["response_duration"] for row in rows} == {1000}
    assert len(read.requests().where("request_resource like 'host000*' and l7_protocol = 'DNS'")) == 10
    assert len(read.requests().where("ip_1 = '10.0.0.2'")) == 300
    steps = read.explain(int(rows[0]["flow_id"]))
    assert [step["op"] for step in steps][-1] == "confirm"


def test_the_same_capture_gives_the_same_rows_byte_for_byte(capture: Path) -> None:
    one, two = read_pcap(capture), read_pcap(capture)
    for name in one.tables:
        assert one.table(name).to_arrow(stored=True).equals(two.table(name).to_arrow(stored=True)), name
        streamed = two.stream(name).to_arrow(stored=True)
        assert streamed.num_rows == one.tables[name]


def test_no_hook_is_called_while_a_capture_is_read(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pluggy

    calls: list[str] = []
    original = pluggy.HookCaller.__call__

    def counting(self: pluggy.HookCaller, **kwargs: object) -> object:
        calls.append(self.name)
        return original(self, **kwargs)

    opened = read_pcap(capture)
    monkeypatch.setattr(pluggy.HookCaller, "__call__", counting)
    assert len(opened.requests()) == 300
    assert calls == []


async def test_an_app_stores_what_a_capture_holds(capture: Path) -> None:
    config = {
        "collectors": {"pcap": {"files": [str(capture)]}},
        "storages": {"memory": {}},
        "pipelines": {"l7": {"collectors": ["pcap"], "storages": ["memory"]}},
    }
    app = App(config, autoload=True)
    assert isinstance(app, _App)
    app.validate()
    stats = await app.run_until_complete()
    stored = {each.unit: each.value for each in stats if each.component == "storage.memory" and each.stage == "sent"}
    offered = sum(each.value for each in stats if each.component == "engine.flow" and each.stage == "sent")
    assert stored["records"] == offered == sum(read_pcap(capture).tables.values())


@pytest.mark.parametrize("script", ["embed_app.py", "embed_offline.py"])
def test_the_examples_run(capture: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), str(capture)],
        env={**os.environ, "CAPTURE": str(capture)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "flow_log.l7_flow_log" in done.stdout
    assert (
        "   300 flow_log.l7_flow_log" if script == "embed_app.py" else "300 exchanges, 0 not answered well"
    ) in done.stdout
