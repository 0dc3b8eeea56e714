"""Captures into a store, rows out of it and into another, questions in PromQL; as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from metaflow_querier.client.plot import plot_lines
from metaflow_querier.client.promql import parameters

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
COUNT = "SELECT Count(row) AS n, Uniq(endpoint) AS e FROM l7_flow_log"


@pytest.fixture(scope="module")
def store(mflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capture in a store: DuckDB's, which is made in no time."""
    pytest.importorskip("metaflow_storage_duckdb", reason="the store of this test is DuckDB's")
    place = tmp_path_factory.mktemp("store") / "rows.duckdb"
    done = mflow("read", str(CAPTURE), "--into", str(place), "--storage", "duckdb")
    assert done.returncode == 0, done.stderr
    assert "flow_log.l7_flow_log: 136 rows" in done.stderr
    return place


@pytest.fixture(scope="module")
def rows(mflow: Any) -> Any:
    """Asks a store."""

    def asked(place: Path, *question: str) -> list[dict[str, object]]:
        done = mflow("query", "--data", str(place), "--storage", "duckdb", *question)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return asked


def test_a_capture_is_stored_once(mflow: Any, rows: Any, store: Path) -> None:
    again = mflow("read", str(CAPTURE), "--into", str(store), "--storage", "duckdb")
    assert again.returncode == 0, again.stderr
    assert rows(store, COUNT) == [{"n": 136, "e": 13}]


def test_rows_go_out_and_in(mflow: Any, rows: Any, store: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.parquet", tmp_path / "part.parquet"
    done = mflow("export", "l7_flow_log", "--data", str(store), "--storage", "duckdb", "--out", str(whole))
    assert (done.returncode, "136 rows of flow_log.l7_flow_log" in done.stderr) == (0, True), done.stderr
    assert pq.read_table(whole).num_rows == 136
    where = ["--where", "response_status = 'server_error'", "--to", "2030-01-01"]
    done = mflow("export", "l7_flow_log", "--data", str(store), "--storage", "duckdb", "--out", str(part), *where)
    assert done.returncode == 0, done.stderr
    assert 0 < pq.read_table(part).num_rows < 136
    other = tmp_path / "other.duckdb"
    for _ in range(2):
        done = mflow("import", str(whole), "--into", str(other), "--storage", "duckdb")
        assert done.returncode == 0, done.stderr
    assert rows(other, COUNT) == [{"n": 136, "e": 13}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "l7_flow_logg", "--data", "{store}", "--out", "x.parquet"], "did you mean 'l7_flow_log'"),
        (
            ["export", "nope", "--data", "{store}", "--out", "x.parquet"],
            "no table 'nope'; the tables are application_log.log, ",
        ),
        (["export", "l7_flow_log", "--data", "{store}", "--out", "/nowhere/x.parquet"], "cannot be written"),
        (["export", "l7_flow_log", "--data", "/nowhere", "--out", "x.parquet"], "no such directory"),
        (["export", "l7_flow_log", "--data", "{store}", "--out", "x", "--from", "soon"], "is no time"),
        (["import", "{store}", "--into", "{other}"], "is no Parquet file"),
        (["query", "--data", "{store}", "SELECT 1", "--promql", "up"], "not both"),
        (["query", "--data", "{store}", "SELECT 1", "--step", "1s"], "belong to --promql"),
        (["query", "--data", "{store}", "--promql", "sum("], "parse error"),
        (["read", str(CAPTURE), "--into", "x", "--json"], "stores every table"),
        (["query", "--url", "http://127.0.0.1:1", "--promql", "up"], "cannot be asked"),
    ],
)
def test_mistakes_are_told(mflow: Any, store: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    place = {"store": str(store), "other": str(tmp_path / "other.duckdb")}
    words = [word.format(**place) if "{" in word else word for word in arguments]
    if words[0] != "read" and "--url" not in words:
        words += ["--storage", "duckdb"]
    done = mflow(*words)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_promql_of_a_store(mflow: Any, rows: Any, store: Path) -> None:
    question = ["--promql", "sum(flow_metrics__application__request__1m)", "--at", "2026-11-21T07:28:00Z"]
    assert rows(store, *question)[0]["value"] == 272
    moments = ["--from", "2026-11-21T07:27:13Z", "--to", "2026-11-21T07:27:16Z", "--step", "1s", "--plot"]
    done = mflow(
        "query",
        "--data",
        str(store),
        "--storage",
        "duckdb",
        "--promql",
        "sum(flow_metrics__application__request__1s)",
        *moments,
    )
    assert "2026-11-21 07:27:14" in done.stdout
    assert "\033" not in done.stdout


def test_plots() -> None:
    lines = plot_lines(
        [("a", [(0, 0), (10, 10)]), ("b", [(0, float("nan")), (5, 5)])], width=60, height=5, colour=False
    )
    assert len(lines) == 5 + 2 + 2
    assert lines[0].lstrip().startswith("10 │")
    assert lines[-1] == "■ b"
    assert plot_lines([("a", [(0, float("inf"))])]) == []
    many = plot_lines([(str(n), [(0, n), (1, n)]) for n in range(9)], width=60, colour=False)
    assert many[-1] == "and 3 more series that are not drawn"
    assert plot_lines([("one", [(5, 5)])], width=60, colour=True)


def test_ranges_have_a_step() -> None:
    assert parameters(None, None, None, None) == {}
    found = parameters(None, "-2h", None, None)
    assert found["step"] == 60
    assert round(found["end"] - found["start"]) == 7200
