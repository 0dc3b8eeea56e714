"""What was seen of the shop is what the shop did, exactly; and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from metaflow_demo.calls import read_calls
from metaflow_demo.network import why_no_network
from metaflow_demo.run import CAPTURES

import metaflow_core as mf
from metaflow_core.testing import capture_refused, free_port

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "metaflow_core", "demo"]
Seen = Counter[tuple[str, str, str, bool]]


def may_watch() -> str:
    return capture_refused() or why_no_network()


def did(log: Path) -> Seen:
    """What the shop did: protocol, server, request, whether it went well."""
    names = {"http": "HTTP", "redis": "Redis", "mysql": "MySQL", "dns": "DNS", "postgresql": "PostgreSQL"}
    return Counter(
        (names[call["kind"]], call["server"], call["request"], call["ok"]) for call in read_calls(log)
    )  # fmt: skip


def saw(rows: list[dict[str, Any]]) -> Seen:
    """The same of rows of ``l7_flow_log``; what clients say when they connect is no call."""
    seen: Seen = Counter()
    for row in rows:
        protocol, request, resource = row["l7_protocol"], row["request_type"], row["request_resource"]
        if protocol == "HTTP":
            request = f"{request} {resource}"
        elif protocol == "DNS":
            request = f"{request} {row['request_domain'] or resource}"
        elif protocol == "MySQL":
            words = resource.split(" ", 1)
            if request != "COM_QUERY" or words[0] not in ("SELECT", "INSERT") or "no_such" in words[0]:
                if request == "COM_QUERY" and words[0] not in ("SET", "USE"):
                    raise AssertionError(f"a statement that nobody made: {row}")
                continue
            request = words[0]
        elif protocol == "PostgreSQL":
            if request != "simple query":
                continue
            request = resource.split(" ", 1)[0]
        seen[protocol, f"{row['ip_1']}:{row['server_port']}", request, row["response_status"] == "ok"] += row.get(
            "n", 1
        )
    return seen


COLUMNS = (
    "l7_protocol",
    "ip_1",
    "server_port",
    "request_type",
    "request_resource",
    "request_domain",
    "response_status",
)


def test_the_recorded_shop_is_seen_as_it_was() -> None:
    requests = mf.read_pcap([str(path) for path in CAPTURES]).requests().to_arrow()
    assert saw(requests.to_pylist()) == did(HERE / "captures" / "calls.jsonl")


def ask(port: int, text: str) -> list[dict[str, Any]]:
    data = urllib.parse.urlencode({"db": "flow_log", "sql": text}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/query", data, timeout=60) as answer:
        result = json.load(answer)["result"]
    return [dict(zip(result["columns"], values, strict=True)) for values in result["values"]]


def left(marker: str) -> list[str]:
    """Processes with this text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in text:
            found.append(text)
    return found


@contextmanager
def playing(*options: str, tmp_path: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A demo whose temporary files are below ``tmp_path``, so that its processes can be told from others."""
    home = {**os.environ, "TMPDIR": str(tmp_path), **environment}
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=errors, text=True, env=home)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for_calls(log: Path, process: subprocess.Popen[str], many: int = 1) -> None:
    deadline = time.monotonic() + 150
    while not log.exists() or log.read_text().count("\n") < many:
        assert process.poll() is None, "the demo ended"
        assert time.monotonic() < deadline, "no calls"
        time.sleep(0.1)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(bool(may_watch()), reason=may_watch())
def test_a_living_shop_is_seen_as_it_is(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "calls.jsonl"
    options = ("--calls", "120", "--rate", "60", "--port", str(port), "--log", str(log))
    with playing(*options, tmp_path=tmp_path) as process:
        wait_for_calls(log, process)
        columns = ", ".join(COLUMNS)
        # the shop's processes are watched too, where they can be: a call counts where packets saw it
        question = (
            f"SELECT {columns}, Count(row) AS n FROM l7_flow_log WHERE signal_source = 0 GROUP BY {columns} LIMIT 10000"
        )
        deadline = time.monotonic() + 90
        while True:
            seen = saw(ask(port, question))
            done = did(log)
            if (sum(seen.values()) >= sum(done.values()) and gateway(done) == 120) or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        assert gateway(done) == 120
        assert seen == done
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, (tmp_path / "errors").read_text()
    assert "The shop is open:" in out
    assert "MetaFlow is up." in out
    assert not left(str(tmp_path)), "a process stayed behind"
    assert not list(tmp_path.glob("mflow-demo-*")), "files stayed behind"


def gateway(calls: Seen) -> int:
    return sum(number for (_, server, _, _), number in calls.items() if server.endswith(":8080"))


def test_a_killed_demo_takes_everything_with_it(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    with playing("--shop-only", "--plain", "--log", str(log), tmp_path=tmp_path) as process:
        wait_for_calls(log, process, 5)
        assert len(left(str(tmp_path))) > 5
        process.kill()
        process.wait()
    for _ in range(100):
        if not left(str(tmp_path)):
            break
        time.sleep(0.1)
    assert not left(str(tmp_path))


def test_stand_ins_where_nothing_is_installed(tmp_path: Path) -> None:
    """The same shop without Redis and MariaDB, without root: only Python."""
    log = tmp_path / "calls.jsonl"
    options = ("--shop-only", "--plain", "--calls", "60", "--rate", "100", "--log", str(log))
    with playing(*options, tmp_path=tmp_path, PATH="/nowhere") as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, (tmp_path / "errors").read_text()
    assert "redis-server is not installed" in out
    assert "mariadbd is not installed" in out
    calls = read_calls(log)
    assert sum(call["client"] == "customers" for call in calls) == 60
    assert {call["kind"] for call in calls} == {"http", "redis", "dns"}
    assert {call["status"] for call in calls if call["client"] == "customers"} >= {200, 201}


def test_without_the_privilege_it_says_what_to_do(tmp_path: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed; it takes the privilege away")
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    result = subprocess.run([*words, *COMMAND, "--plain"], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert "mflow demo --pcap" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_order_is_one_trace_from_the_gateway_to_both_databases_by_packets_alone() -> None:
    tracing = pytest.importorskip("metaflow_tracing.cli.sources", reason="needs plugins/tracing")
    traces = tracing.captured([str(path) for path in CAPTURES], None, None, None)
    orders = [trace for trace in traces if trace["root"] == "POST /orders"]
    paid = [
        call
        for call in read_calls(HERE / "captures" / "calls.jsonl")
        if call["client"] == "customers" and call["request"] == "POST /orders" and call["ok"]
    ]
    whole = Counter({"HTTP": 3, "MySQL": 1, "PostgreSQL": 1})
    complete = [each for each in orders if Counter(span["protocol"] for span in each["spans"]) == whole]
    assert all(trace["root_count"] == 1 for trace in orders)
    assert len(complete) == len(paid) > 20
