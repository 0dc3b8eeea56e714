"""``mflow up``: what it chooses and why, what it shows, and that it ends in order."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from metaflow_up import choice
from metaflow_up.board import APPLICATION, NETWORK, Board
from metaflow_up.choice import Wanted, choose_capture
from metaflow_up.keeping import KeepingType
from metaflow_up.place import Place, free_port, made_token
from metaflow_up.running import _started
from metaflow_up.show import dropped, troubles
from metaflow_up.telling import plain_sentences
from metaflow_up.usable import start_usable, usable

from metaflow_core.api import CounterSample, RecordBatch
from metaflow_core.cli.installed import plugin_host
from metaflow_core.errors import StartError, UnwritableStore
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import capture_refused

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
COMMAND = [sys.executable, "-m", "metaflow_core", "up"]


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


@pytest.mark.parametrize(
    ("reason", "user", "remedy"),
    [
        ("capturing packets needs CAP_NET_RAW", 1000, "run as root (sudo mflow up), in a systemd unit with AmbientCapabilities=CAP_NET_RAW, or "),
        ("capturing packets needs CAP_NET_RAW", 0, "where a container took it, start that with --cap-add NET_RAW (Kubernetes: capabilities.add), or "),
        ("this system has no packet sockets (no such protocol)", 0, ""),
    ],
)  # fmt: skip
def test_without_the_privilege_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, reason: str, user: int, remedy: str
) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: reason)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    capture = choose_capture({"cbpf": object()}, Wanted(), (8088,))
    assert capture.collector == ""
    assert capture.why == f"{reason}; {remedy}give a capture: mflow up --pcap FILE"


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give up capabilities, with setpriv"
)
def test_a_root_without_its_capabilities_is_told_which(tmp_path: Path) -> None:
    without = ["setpriv", "--bounding-set", "-net_raw,-bpf,-perfmon,-sys_admin"]
    ended = subprocess.run(
        [*without, *COMMAND, "--data", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1
    assert not ended.stdout
    [said, offered] = ended.stderr.splitlines()
    assert "CAP_NET_RAW, which user 0 lacks here" in said
    assert "--cap-add NET_RAW" in said
    assert "sudo" not in said
    assert "mflow demo --pcap" in offered


BOTH = {"cbpf": object(), "ebpf": object()}


@pytest.mark.parametrize(
    ("wants", "refused", "collectors", "said"),
    [
        (Wanted(), "", ["cbpf", "ebpf"], "TLS plain text"),
        (Wanted(), "CAP_BPF is missing", ["cbpf"], "no eBPF: CAP_BPF is missing"),
        (Wanted(capture_filter="tcp"), "", ["cbpf"], "--filter can narrow packets only"),
        (Wanted("both", ("lo",), "tcp"), "", ["cbpf", "ebpf"], "TLS plain text"),
        (Wanted("both"), "CAP_BPF is missing", [""], "CAP_BPF is missing; watch packets alone"),
        (Wanted("packets"), "", ["cbpf"], "packets of every interface"),
        (Wanted("ebpf"), "", ["ebpf"], "no packets, so there are no flows"),
    ],
)
def test_packets_and_processes(
    monkeypatch: pytest.MonkeyPatch, wants: Wanted, refused: str, collectors: list[str], said: str
) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: "")
    capture = choose_capture(BOTH, wants, (8088,), ebpf_refused=refused)
    assert [capture.collector, *capture.more] == collectors
    assert said in " ".join(text for _, text in capture.said())


def test_processes_alone_where_packets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: "capturing packets needs CAP_NET_RAW")
    capture = choose_capture(BOTH, Wanted(), (8088,))
    assert capture.collector == "ebpf"
    assert "needs CAP_NET_RAW" in capture.why


def test_own_port_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_packet_socket_refused", lambda: "")
    capture = choose_capture(BOTH, Wanted("both", ("eth0",), "tcp", (80, 443)), (8088,))
    assert capture.options == {
        "interfaces": ["eth0"], "filter": "(tcp) and (port 80 or port 443)", "exclude_ports": [8088],
        "retire_ms": 100, "block_kib": 256, "ring_mib": 64,
    }  # fmt: skip
    assert "eth0" in capture.why
    assert capture.more == {"ebpf": {"ports": [80, 443], "exclude_ports": [8088]}}


def test_the_memory_of_rings_is_shared_and_an_agent_has_little(tmp_path: Path) -> None:
    for name in ("lo", "eth0", "eth1", "wlan0"):
        (tmp_path / name).mkdir()

    def ring_mib(interfaces: tuple[str, ...], command: str) -> int:
        return choice._rings(interfaces, command, tmp_path)["ring_mib"]

    assert ring_mib(("*",), "up") == 16
    assert ring_mib(("eth*",), "agent") == 8
    assert ring_mib(("lo",), "agent") == 16
    for at in range(60):
        (tmp_path / f"veth{at}").mkdir()
    assert ring_mib(("*",), "agent") == 8


@pytest.mark.parametrize(("text", "kept"), [("off", None), ("headers", 0), ("96", 96), ("all", 65_535)])
def test_what_is_kept_of_packets_is_said(text: str, kept: int | None, tmp_path: Path) -> None:
    keeping = KeepingType().convert(text, None, None)
    assert keeping.payload_bytes == kept
    options = {} if kept is None else {"packets": {"max_mib": 256}}
    [(label, said)] = keeping.said({"engines": options})
    assert label == "packets"
    assert {"off": "not kept", "headers": "no payload", "96": "96 bytes", "all": "nothing in it is masked"}[
        text
    ] in said


def test_a_keeping_that_is_none_is_a_sentence() -> None:
    for text in ("", "some", "-1", "65536", "1e3"):
        with pytest.raises(click.UsageError, match="is none of off, headers, all"):
            KeepingType().convert(text, None, None)


def test_without_a_live_collector_it_says_what_to_install() -> None:
    assert "install metaflow-collector-cbpf" in choose_capture({}, Wanted(), ()).why


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
@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
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


def refused(*options: str) -> str:
    """What ``mflow up`` says when it does not start."""
    result = subprocess.run(
        [*COMMAND, "--pcap", str(SHOP), *options], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_what_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    """Another MetaFlow in the directory, a taken port, a file where the directory should be, a store that is none."""
    used = Place(tmp_path / "used")
    used.take()
    used.tell("http://127.0.0.1:1")
    said = refused("--data", str(tmp_path / "used"))
    assert f"another MetaFlow (process {os.getpid()}, http://127.0.0.1:1) uses {tmp_path / 'used'} already" in said
    used.release()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is taken" in refused("--data", str(tmp_path / "a"), "--port", str(port))
    (tmp_path / "file").write_text("")
    assert "is a file, not a directory" in refused("--data", str(tmp_path / "file"))


def test_a_store_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="chdb is not installed; it is the store that is damaged here")
    broken = tmp_path / "clickhouse" / "data" / "metadata"
    broken.mkdir(parents=True)
    (broken / "flow_log.sql").write_text("garbage")
    said = refused("--data", str(tmp_path))
    assert "cannot be opened: ClickHouse wrote the reason above" in said
    assert "flow_log" in said.partition("mflow: storages")[0], "which file it is that cannot be read"
    assert f"mv {tmp_path} {tmp_path}.damaged" in said


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: object) -> None:
        told = "storages.clickhouse: the disk of /x is full; free some space"
        raise StartError(told) from UnwritableStore("in whatever words")

    monkeypatch.setattr("metaflow_core.App.start", start)

    async def begin() -> None:
        async with _started({"version": 1}, Place(tmp_path), plugin_host(), []):
            pass

    with pytest.raises(StartError, match="the disk of /x is full") as raised:
        asyncio.run(begin())
    assert "damaged" not in str(raised.value)


def test_a_tagger_that_cannot_be_built_is_left_out_and_named(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "collectors": {"pcap": {"files": [str(SHOP)]}},
        "taggers": {"no_such_tagger": {}},
        "pipelines": {"live": {"collectors": ["pcap"], "taggers": ["no_such_tagger"]}},
        "service": {"data_dir": str(tmp_path)},
    }
    host = plugin_host()
    kept, notes = usable(config, host)
    assert "taggers" not in kept
    assert "taggers" not in kept["pipelines"]["live"]
    [note] = notes
    assert note.startswith("left out taggers.no_such_tagger: ")
    assert "taggers" in config

    async def begin() -> list[str]:
        app, taps, left_out = await start_usable(config, host, ["live"])
        await app.stop()
        assert [tap.dropped for tap in taps] == [0]
        return left_out

    assert asyncio.run(begin()) == notes


def test_what_works_badly_is_told_while_it_does() -> None:
    status = [
        {
            "kind": "storage",
            "id": "clickhouse",
            "state": "degraded",
            "message": "the disk of /x is full; free some space",
        },
        {"kind": "parser", "id": "http", "state": "running", "message": "runtime native"},
    ]
    assert troubles(status) == {"storage clickhouse": "the disk of /x is full; free some space"}


def test_a_trouble_is_named_once() -> None:
    said = "cannot listen on 127.0.0.1:4318: Address already in use"
    status = [{"kind": "collector", "id": "otlp", "state": "failed", "message": f"collectors.otlp: {said}"}]
    assert troubles(status) == {"collector otlp": said}


def test_packets_that_were_lost_come_with_what_to_do() -> None:
    stats = [
        CounterSample("collector.cbpf", "dropped", "stopping", "packets", 2),
        CounterSample("collector.cbpf", "dropped", "kernel_ring_full", "packets", 5),
        CounterSample("collector.other", "dropped", "kernel_ring_full", "packets", 7),
        CounterSample("engine.flow", "dropped", "bad_frame", "packets", 0),
        CounterSample("collector.cbpf", "dropped", "stopping", "bytes", 900),
    ]
    [first, second] = dropped(stats).items()
    assert first[1] == 12
    assert "--filter" in first[0]
    assert second == ("when it stopped", 2)


def test_logs_are_sentences_and_what_the_block_says_is_not_said_before(capsys: pytest.CaptureFixture[str]) -> None:
    # nobody has set up logging in `mflow up`; pytest has, so its handlers are hidden here
    logger = logging.getLogger("metaflow")
    logger.propagate = False
    try:
        with plain_sentences():
            logging.getLogger("metaflow.pipeline").warning("%s.", "collectors.otlp: the port is taken")
            try:
                raise ValueError("inside")
            except ValueError as error:
                logging.getLogger("metaflow.collector.cbpf").warning("restarting in %g s.", 1, exc_info=error)
            logging.getLogger("metaflow.pipeline.live").error("Pipeline live was stopped before it was empty.")
            logging.getLogger("metaflow.storage.clickhouse").info("not told")
        assert not logger.handlers
    finally:
        logger.propagate = True
    assert capsys.readouterr().err.splitlines() == [
        "mflow: restarting in 1 s.",
        "mflow: Pipeline live was stopped before it was empty.",
    ]


def test_an_agent_loads_no_data_frames() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed, so nothing could load it")
    words = "import sys, metaflow_up.lean as lean; lean.slim(); import pyarrow as pa; pa.array([1]); print('pandas' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
    again = f"{words}; import pandas; print(pandas.Series([1]).sum())"
    said = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=True).stdout
    assert said == "False\n1\n", "a plugin may use it still"


def test_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found, note = free_port(None, port)
        assert port < found <= port + 20
        assert f"port {port} is taken" in note
        with pytest.raises(StartError, match=f"port {port} of 127.0.0.1 is taken"):
            free_port(port, 8088)
    monkeypatch.setattr("metaflow_up.place._is_free", lambda port: False)
    with pytest.raises(StartError, match="are all taken"):
        free_port(None, 8088)


def test_a_token_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made_token(path)
    first = path.read_text()
    made_token(path)
    assert path.read_text() == first
    assert len(first.strip()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "pipeline"),
    [
        (["agent", "--server", "10.0.0.5:20133", "--pcap", str(SHOP)], "live"),
        (["server", "--listen", "0.0.0.0:20133"], "agents"),
    ],
)
def test_printed_configurations_of_both_halves(tmp_path: Path, words: list[str], pipeline: str) -> None:
    pytest.importorskip("metaflow_link", reason="metaflow-link is not installed; it joins the halves")
    (tmp_path / "agent-token").write_text("x" * 40)
    command = [sys.executable, "-m", "metaflow_core", *words, "--data", str(tmp_path), "--print-config"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    config = yaml.safe_load(text)
    assert pipeline in config["pipelines"]
    if words[0] == "server":
        assert config["collectors"]["metaflow"]["token"] == f"${{file:{tmp_path / 'agent-token'}}}"
    path = tmp_path / "metaflow.yaml"
    path.write_text(text)
    subprocess.run([sys.executable, "-m", "metaflow_core", "validate", str(path)], check=True)


def test_an_agent_loads_nothing_that_only_answers_or_stores(tmp_path: Path) -> None:
    """It shares its machine with what it watches; of what is installed it loads what it uses."""
    pytest.importorskip("metaflow_link", reason="metaflow-link is not installed; it joins the halves")
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules})))\n"
        "from metaflow_core.cli import main\n"
        "main()\n"
    )
    words = [
        "agent",
        "--server",
        "127.0.0.1:9",
        "--pcap",
        str(SHOP),
        "--data",
        str(tmp_path),
        "--for",
        "1",
        "--stop-within",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert "MetaFlow agent is up." in done.stdout, done.stderr
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "metaflow_engine_flow" in loaded
    unused = {
        "pandas", "chdb", "duckdb", "sqlalchemy", "clickhouse_sqlalchemy", "clickhouse_connect", "clickhouse_driver", "sqlglot",
        "starlette", "uvicorn", "kubernetes", "kubernetes_asyncio", "boto3", "httpx", "requests", "textual", "rich", "opentelemetry",
    }  # fmt: skip
    assert not loaded & unused
