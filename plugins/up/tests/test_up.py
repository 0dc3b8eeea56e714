"""``mflow up``: what it chooses and why, what it shows, and that it ends in order."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from metaflow_up import choice
from metaflow_up.board import APPLICATION, NETWORK, Board
from metaflow_up.choice import choose_capture

from metaflow_core.api import RecordBatch
from metaflow_core.model.catalog import load_catalog

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
COMMAND = [sys.executable, "-m", "metaflow_core", "up"]


def may_capture() -> str:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except (PermissionError, AttributeError) as error:
        return f"needs CAP_NET_RAW and AF_PACKET: {error}"
    return ""


def batch(table: str, **columns: Any) -> RecordBatch:
    import pyarrow as pa

    return RecordBatch(table, pa.record_batch(columns))


def second(time_s: int, *, requests: int, errors: int = 0, delay: float = 100.0, port: int = 80) -> RecordBatch:
    return batch(
        APPLICATION,
        time=[time_s], is_ipv4=[True], ip4_1=[0x7F000001], server_port=[port], l7_protocol=[20],
        request=[requests], error=[errors], rrt_sum=[delay * requests], rrt_count=[requests], rrt_max=[int(delay * 2)],
    )  # fmt: skip


def test_board_adds_up_the_last_minute() -> None:
    board = Board(load_catalog())
    for moment in range(100, 200):
        board.add(second(moment, requests=2, errors=int(moment % 10 == 0)))
    board.add(batch(NETWORK, packet=[7], new_flow=[1]))
    board.add(batch("flow_log.l7_flow_log", anything=[1]))
    [line] = board.lines()
    assert (line.server, line.requests, line.errors) == ("127.0.0.1:80", 120, 6)
    assert (line.rate, line.average_us, line.max_us) == (2.0, 100.0, 200)
    assert (board.packets, board.flows, board.requests) == (7, 1, 200)


def test_board_forgets_services_that_fell_silent() -> None:
    board = Board(load_catalog())
    board.add(second(100, requests=1, port=80))
    board.add(second(500, requests=3, port=81))
    assert [line.server for line in board.lines()] == ["127.0.0.1:81"]


def test_without_the_privilege_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: "capturing packets needs CAP_NET_RAW")
    capture = choose_capture({"cbpf": object()}, (), None, (8088,))
    assert capture.collector == ""
    assert capture.why == (
        "capturing packets needs CAP_NET_RAW; run as root (sudo mflow up), or give a capture: mflow up --pcap FILE"
    )


def test_own_port_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: "")
    capture = choose_capture({"cbpf": object()}, ("eth0",), "tcp", (8088,))
    assert capture.options == {"interfaces": ["eth0"], "filter": "tcp", "exclude_ports": [8088]}
    assert "eth0" in capture.why


def test_without_a_live_collector_it_says_what_to_install() -> None:
    assert "install metaflow-collector-cbpf" in choose_capture({}, (), None, ()).why


def test_printed_configuration_is_valid(tmp_path: Path) -> None:
    text = subprocess.run(
        [*COMMAND, "--print-config", "--pcap", str(SHOP), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    config = yaml.safe_load(text)
    assert config["pipelines"]["live"]["collectors"] == ["pcap"]
    path = tmp_path / "metaflow.yaml"
    path.write_text(text)
    subprocess.run([sys.executable, "-m", "metaflow_core", "validate", str(path)], check=True)


def test_a_capture_is_shown_until_the_time_is_over(tmp_path: Path) -> None:
    out = subprocess.run(
        [*COMMAND, "--pcap", str(SHOP), "--data", str(tmp_path / "data"), "--port", "18999", "--for", "15"],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert "MetaFlow is up." in out
    assert f"the files {SHOP}" in out
    assert "136 requests, 5 services" in out


@pytest.mark.root
@pytest.mark.skipif(bool(may_capture()), reason=may_capture())
def test_live_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--interface", "lo", "--filter", "udp port 1", "--data", str(tmp_path), "--port", "18998"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first == "MetaFlow is up.\n", process.stderr.read() if process.stderr else ""
    assert "packets of lo through AF_PACKET" in process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def test_wrong_filter_is_a_sentence(tmp_path: Path) -> None:
    result = subprocess.run(
        [*COMMAND, "--pcap", str(SHOP), "--filter", "tcp prt 80", "--data", str(tmp_path), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    result = subprocess.run(
        [*COMMAND, "--pcap", str(SHOP), "--filter", "tcp prt 80", "--data", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "capture filter 'tcp prt 80' is wrong" in result.stderr
    assert "Traceback" not in result.stderr
