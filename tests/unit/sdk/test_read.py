"""Captures without an app: found by what they are, read whole or in a stream, written in every format."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaflow_core.api import RecordBatch
from metaflow_core.errors import ConfigError, InputError, PluginError, QueryError, QuerySyntaxError, UnsupportedQuery
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_schema
from metaflow_core.sdk import Capture, read_pcap
from tests.unit.pipeline.fakes import FakeEngine, Script, plugin

CATALOG = load_catalog()


def requests(first: int, rows: int) -> RecordBatch:
    """Rows of the exchanges' table with a few columns set."""
    table = CATALOG.table("l7_flow_log")
    schema = arrow_schema(table)
    values: dict[str, list[Any]] = {
        "flow_id": [first + n for n in range(rows)],
        "response_code": [200 + 100 * (n % 4) for n in range(rows)],
        "request_resource": [f"/things/{first + n}" for n in range(rows)],
        "l7_protocol": [20] * rows,
        "ip4_0": [0x0A000001] * rows,
        "is_ipv4": [1] * rows,
    }
    names = [name for name in schema.names if name in values]
    arrays = [pa.array(values[name]).cast(schema.field(name).type) for name in names]
    return RecordBatch(table.name, pa.RecordBatch.from_arrays(arrays, names=names))


class RequestEngine(FakeEngine):
    def drain(self) -> Iterator[RecordBatch]:
        for each in super().drain():
            yield requests(each.data.column("n")[0].as_py(), each.data.num_rows)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.blocks"
    path.write_bytes(b"BLK and more")
    return path


def fakes(script: Script) -> SimpleNamespace:
    from dataclasses import replace

    found = plugin(script)
    factory = found.metaflow_engines()[0]
    from metaflow_core.hooks import hookimpl

    own = replace(factory, create=lambda context, config, parsers: RequestEngine(script, context, config, parsers))
    found.metaflow_engines = hookimpl(specname="metaflow_engines")(lambda: [own])
    return found


def read(script: Script, *files: Path | str, **options: Any) -> Capture:
    return read_pcap([str(each) for each in files], plugins=[fakes(script)], autoload=False, **options)


def test_a_capture_is_read_once_and_when_it_is_asked(script: Script, file: Path) -> None:
    capture = read(script, file)
    assert script.count("file", "run") == 0
    assert len(capture.requests()) == 81
    assert capture.tables == {"flow_log.l7_flow_log": 81}
    assert [row["request_resource"] for row in capture.requests().head(2)] == ["/things/0", "/things/1"]
    assert script.count("file", "run") == 1
    assert script.count("engine", "stop") == 1
    assert {each.stage for each in capture.counters()} >= {"decode"}
    assert any("beta" in note and "no Python runtime" in note for note in capture.notes)


def test_rows_are_decoded_filtered_and_chosen(script: Script, file: Path) -> None:
    rows = read(script, file).table("l7_flow_log")
    failed = rows.where("response_code >= 500 and request_resource like '/THINGS/*'").select(
        "request_resource", "response_code"
    )
    assert failed.to_arrow().column_names == ["request_resource", "response_code"]
    assert {row["response_code"] for row in failed} == {500}
    assert len(failed) == 16
    assert next(iter(rows))["ip_0"] == "10.0.0.1"
    assert len(rows.where("ip_0 = '10.0.0.1'")) == 81
    assert len(rows.where("ip_0 != '10.0.0.1'")) == 0
    assert len(rows.where("response_code in (200, 300)").where("not request_resource regexp '7$'")) < 50
    assert rows.to_arrow(stored=True).schema.field("ip4_0").type == pa.uint32()
    assert len(rows.where("l7_protocol = 20")) == 81


@pytest.mark.parametrize(
    ("text", "said"),
    [("respons_code > 1", "response_code"), ("response_code >", "column"), ("response_code + 1", "true or false")],
)
def test_wrong_conditions_are_sentences(script: Script, file: Path, text: str, said: str) -> None:
    with pytest.raises(QuerySyntaxError, match=said):
        read(script, file).requests().where(text)


def test_what_only_a_server_knows_is_said(script: Script, file: Path) -> None:
    with pytest.raises((UnsupportedQuery, QuerySyntaxError)):
        list(read(script, file).requests().where("pod_0 = 'web-1'"))
    with pytest.raises(UnsupportedQuery, match="has no column 'nothing'"):
        list(read(script, file).requests().select("nothing"))
    with pytest.raises(QueryError, match="l7_flow_log"):
        read(script, file).table("l7_flowlog")


def test_empty_tables_have_their_columns(script: Script, file: Path) -> None:
    flows = read(script, file).flows()
    assert len(flows) == 0
    assert "flow_id" in flows.to_arrow().column_names
    assert list(flows) == []


def test_streaming_keeps_nothing_and_can_be_left(script: Script, file: Path) -> None:
    script.blocks = 2000
    seen: list[tuple[int, int | None]] = []
    capture = read(script, file, progress=lambda done, total: seen.append((done, total)))
    before = set(threading.enumerate())
    batches = capture.batches("l7_flow_log")
    first = next(batches)
    assert first.num_rows == 10
    batches.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) == before
    assert script.emitted < 200
    assert script.count("engine", "stop") == script.count("file", "stop") == 1
    assert seen[0] == (1024, 12)
    script.emitted = 0
    assert sum(batch.num_rows for batch in capture.batches("l7_flow_log")) == 20_001
    assert capture._kept is None


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv", "jsonl"])
def test_tables_are_written(script: Script, file: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out.{suffix}"
    assert read(script, file).write("l7_flow_log", target) == 81
    if suffix == "parquet":
        assert pq.read_table(target).num_rows == 81
    elif suffix == "arrow":
        assert pa.ipc.open_file(target).read_all().num_rows == 81
    elif suffix == "jsonl":
        lines = [json.loads(line) for line in target.read_text().splitlines()]
        assert lines[3]["request_resource"] == "/things/3"
        assert len(lines) == 81
    else:
        assert len(target.read_text().splitlines()) == 82


def test_unknown_formats_and_places_are_sentences(script: Script, file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="formats are parquet, arrow, csv, jsonl"):
        read(script, file).write("l7_flow_log", tmp_path / "x.xlsx")
    with pytest.raises(InputError, match="cannot be written: No such file"):
        read(script, file).write("l7_flow_log", tmp_path / "no" / "x.csv")


def test_what_cannot_be_read_is_said(script: Script, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "empty").write_text("")
    with pytest.raises(InputError, match="there is no such file"):
        read(script, tmp_path / "no.blocks")
    with pytest.raises(InputError, match="is a folder"):
        read(script, tmp_path)
    with pytest.raises(
        InputError, match=r"x.txt: begins with 68 65 6c 6c, which no installed collector reads; file reads \.blocks"
    ):
        read(script, tmp_path / "x.txt")
    with pytest.raises(InputError, match="is empty"):
        read(script, tmp_path / "empty")
    with pytest.raises(InputError, match="no file was given"):
        read(script)
    with pytest.raises(PluginError, match="no installed plugin reads capture files"):
        read_pcap(tmp_path / "x.txt", autoload=False)
    with pytest.raises(PluginError, match="there are: file"):
        read(script, tmp_path / "x.txt", collector="tap")


def test_the_name_decides_when_the_first_bytes_do_not(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "y.blocks"
    path.write_text("other")
    assert len(read(script, path).requests()) == 81


def test_options_are_checked_like_a_configuration(script: Script, file: Path) -> None:
    with pytest.raises(ConfigError, match="engines.engine.valu: unknown option; did you mean value"):
        read(script, file, options={"engines": {"engine": {"valu": "x"}}})
    with pytest.raises(ConfigError, match="there is no parser 'alpa'; did you mean alpha"):
        read(script, file, parsers=["alpa"])
    read(script, file, filter="tcp", parsers=["alpha"], engine="engine").requests().to_arrow()
    assert script.parsers == [["alpha"]]


def test_an_error_while_reading_reaches_the_caller(script: Script, file: Path) -> None:
    script.fail = {"engine.push": 1}
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="told to fail in push"):
        read(script, file).requests().to_arrow()
    assert set(threading.enumerate()) == before
    assert script.count("file", "stop") == 1


async def test_it_works_inside_a_running_loop(script: Script, file: Path) -> None:
    asyncio.get_running_loop()
    assert len(read(script, file).requests()) == 81


def test_explaining_asks_the_engine(script: Script, file: Path) -> None:
    assert read(script, file).explain(7) == [{"flow_id": 7, "engine": "engine"}]


def test_missing_libraries_are_named(script: Script, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from metaflow_core.errors import UnavailableError

    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    rows = read(script, file).requests()
    with pytest.raises(UnavailableError, match="pip install pandas"):
        rows.to_pandas()
    with pytest.raises(UnavailableError, match="pip install polars"):
        rows.to_polars()
