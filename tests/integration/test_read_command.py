"""``mflow read`` on the shop's capture: 24 requests through nginx to a service, of which three fail."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaflow_core.cli.root import run_cli

Mflow = Callable[..., bytes]
Rows = Callable[..., list[dict[str, Any]]]
SHOP = Path(__file__).resolve().parents[1] / "captures" / "shop.pcap"
FRONT, SERVICE = 18080, 18081


@pytest.fixture
def mflow(capfdbinary: pytest.CaptureFixture[bytes]) -> Mflow:
    """The command line in this process: standard output, or standard error when it should fail."""

    def run(*args: str, code: int = 0) -> bytes:
        found = run_cli(args)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        assert found == code, err.decode()
        return out if code == 0 else err

    return run


@pytest.fixture
def rows(mflow: Mflow) -> Callable[..., list[dict[str, Any]]]:
    return lambda *args: [
        json.loads(line) for line in mflow("read", str(SHOP), *args, "--format", "jsonl").splitlines()
    ]


def test_summary_counts_what_people_did(mflow: Mflow) -> None:
    summary = json.loads(mflow("read", str(SHOP), "--json"))
    services = {(item["port"], item["protocol"]): item for item in summary["services"]}
    for port in (FRONT, SERVICE):
        service = services[port, "HTTP"]
        assert (service["requests"], service["errors"]) == (24, 3)
        assert 0 < service["p50_us"] <= service["p95_us"] <= service["max_us"]
    failures = {(item["server"], item["request"], item["what"]): item["count"] for item in summary["failures"]}
    assert failures["127.0.0.1:18080", "GET /broken/1", "500 Internal Server Error"] == 2
    assert summary["slowest"][0]["duration_us"] >= 120_000
    assert summary["packets"] > 500


def test_summary_for_people_names_the_parts(mflow: Mflow) -> None:
    text = mflow("read", str(SHOP)).decode()
    for word in ("packets", "Services", "127.0.0.1:18080", "HTTP", "DNS", "Slowest", "Failed", "GET /broken/1"):
        assert word in text


def test_rows_are_readable_json_lines(rows: Rows) -> None:
    found = rows("--table", "l7_flow_log", "--where", f"server_port = {FRONT}")
    assert len(found) == 24
    assert {row["l7_protocol"] for row in found} == {"HTTP"}
    assert sum(row["response_status"] == "server_error" for row in found) == 2
    assert sum(row["response_code"] == 404 for row in found) == 1
    assert all(row["ip_1"] == "127.0.0.1" for row in found)


def test_request_id_goes_from_nginx_to_the_service(rows: Rows) -> None:
    found = rows("--table", "l7_flow_log", "--where", f"server_port = {SERVICE}")
    given = {row["x_request_id_0"] for row in found}
    assert len(given) == 24
    assert "" not in given
    assert given == {row["x_request_id_1"] for row in found}


def test_where_limit_and_columns(rows: Rows) -> None:
    found = rows(
        "--table",
        "l7_message",
        "--where",
        "l7_protocol = 'DNS' and type = 'response'",
        "--columns",
        "response_code,endpoint",
    )
    assert [list(row) for row in found] == [["response_code", "endpoint"]] * len(found)
    assert {(row["response_code"], row["endpoint"]) for row in found} == {
        (0, "bank.shop.test"),
        (3, "nowhere.shop.test"),
    }
    assert len(rows("--table", "l7_message", "--limit", "5")) == 5


@pytest.mark.parametrize("table", ["l7_message", "l7_flow_log", "l4_flow_log", "network.1s", "network.1m", "network_map.1s", "network_map.1m", "application.1s", "application.1m", "application_map.1s", "application_map.1m"])  # fmt: skip
def test_every_table_has_rows(rows: Rows, table: str) -> None:
    assert rows("--table", table)


def test_formats_agree(rows: Rows, mflow: Mflow, tmp_path: Path) -> None:
    lines = rows("--table", "l7_flow_log")
    table = list(
        csv.DictReader(io.StringIO(mflow("read", str(SHOP), "--table", "l7_flow_log", "--format", "csv").decode()))
    )
    assert [row["endpoint"] for row in table] == [row["endpoint"] for row in lines]
    mflow("read", str(SHOP), "--table", "l7_flow_log", "--out", str(tmp_path / "x.parquet"))
    assert pq.read_table(tmp_path / "x.parquet").column("endpoint").to_pylist() == [row["endpoint"] for row in lines]
    command = [sys.executable, "-m", "metaflow_core", "read", str(SHOP), "--table", "l7_flow_log", "--format", "arrow"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    assert pa.ipc.open_stream(piped).read_all().num_rows == len(lines)


def test_same_input_same_bytes(mflow: Mflow) -> None:
    command = ("read", str(SHOP), "--format", "jsonl", "--table")
    for table in ("l7_message", "l4_flow_log", "application_map.1s"):
        assert mflow(*command, table) == mflow(*command, table)


def test_standard_input_is_a_capture_too() -> None:
    command = [sys.executable, "-m", "metaflow_core", "read", "-", "--json"]
    summary = json.loads(subprocess.run(command, input=SHOP.read_bytes(), capture_output=True, check=True).stdout)
    assert sum(item["requests"] for item in summary["services"] if item["port"] == FRONT) == 24


def test_filter_selects_packets(mflow: Mflow) -> None:
    summary = json.loads(mflow("read", str(SHOP), "--json", "--filter", f"port {FRONT}"))
    assert {item["port"] for item in summary["services"]} == {FRONT}


def test_explain_tells_which_parsers_looked(rows: Rows, mflow: Mflow) -> None:
    flow = rows("--table", "l7_flow_log", "--where", "l7_protocol = 'HTTP'", "--limit", "1")[0]["flow_id"]
    steps = json.loads(mflow("explain", "flow", str(flow), str(SHOP), "--json"))
    assert any(step["parser"] == "http" for step in steps)
    assert b"HTTP" in mflow("explain", "flow", str(flow), str(SHOP)).upper()


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (["nothing.pcap"], 1, "nothing.pcap: there is no such file"),
        ([str(Path(__file__))], 1, "no installed collector reads"),
        ([str(SHOP), "--table", "l7_flow_lg"], 1, "did you mean 'l7_flow_log'?"),
        ([str(SHOP), "--table", "nope"], 1, "there is no table 'nope'; a capture gives l7_message, l7_flow_log,"),
        ([str(SHOP), "--table", "event"], 1, "a capture has no rows of event.event; it gives"),
        ([str(SHOP), "--table", "l7_flow_log", "--where", "respnse_code > 3"], 1, "response_code"),
        ([str(SHOP), "--table", "l7_flow_log", "--where", "response_code >"], 1, "column"),
        ([str(SHOP), "--filter", "tcp prt 80"], 1, "capture filter 'tcp prt 80' is wrong"),
        ([str(SHOP), "--format", "csv"], 2, "--table"),
        ([str(SHOP), "--parsers", "htp"], 78, "http"),
        ([str(SHOP), "--table", "l7_flow_log", "--columns", "nothing"], 1, "has no column 'nothing'"),
        (["explain"], 1, "there is no such file"),
    ],
)
def test_mistakes_are_sentences(mflow: Mflow, args: list[str], code: int, sentence: str, tmp_path: Path) -> None:
    error = mflow("read", *args, code=code).decode()
    assert sentence in error
    assert "Traceback" not in error


@pytest.mark.parametrize("runtime", ["native", "wasm"])
def test_refused_option_of_a_parser_is_a_sentence(runtime: str) -> None:
    options = ["--set", "parsers.http.max_head_bytes=5", "--set", f"parsers.http.runtime={runtime}"]
    command = [sys.executable, "-m", "metaflow_core", "read", str(SHOP), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode in {1, 78}
    assert "max_head_bytes" in result.stderr
    assert "Traceback" not in result.stderr
