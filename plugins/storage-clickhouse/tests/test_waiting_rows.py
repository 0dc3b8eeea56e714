"""Rows that wait in memory are in every answer: whoever asks has what waits for the tables of the question written first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

import metaflow_core as mf
from metaflow_core import hookimpl
from metaflow_core.api import CollectorFactory, Emit, RecordBatch

MESSAGES = "flow_log.l7_message"


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT count() FROM flow_log.l7_message", {MESSAGES}),
        (
            "SELECT 1 FROM flow_metrics.`application.1h` JOIN flow_log.l7_message USING (time)",
            {"flow_metrics.application.1m", MESSAGES},
        ),
        ("SELECT count() FROM system.parts", None),
    ],
)
def test_clickhouses_own_sql_names_its_tables(store: Any, text: str, tables: set[str] | None) -> None:
    asked: list[Collection[str] | None] = []

    async def flush(wanted: Collection[str] | None) -> None:
        asked.append(wanted)

    store.storage._flush = flush
    store.do(store.storage._flush_named(text))
    assert asked == ([tables] if tables else [])


class _Source:
    def __init__(self) -> None:
        self.next = 0

    async def run(self, emit: Emit) -> None:
        while True:
            data = {
                "time_ns": pa.array([(1_700_000_000 + self.next) * 10**9]),
                "flow_id": pa.array([self.next], pa.uint64()),
            }
            await emit(RecordBatch(MESSAGES, pa.record_batch(data)))
            self.next += 1
            if self.next == 20:
                await asyncio.Event().wait()

    def resources(self) -> Iterable[object]:
        return ()


async def test_every_way_to_ask_sees_them(tmp_path: Path, templates: Any) -> None:
    templates.copy(tmp_path)
    source = _Source()
    factory = CollectorFactory(
        type="rows",
        create=lambda context, config: source,  # type: ignore[arg-type, return-value]
        emits=frozenset({"records"}),
        summary="x",
    )
    plugin = SimpleNamespace(
        __name__="rows", metaflow_collectors=hookimpl(specname="metaflow_collectors")(lambda: [factory])
    )
    config = {
        "version": 1,
        "collectors": {"rows": {}},
        "storages": {"clickhouse": {"path": str(tmp_path / "clickhouse")}},
        "dialects": {"sql": {}},
        "pipelines": {"p": {"collectors": ["rows"], "storages": ["clickhouse"], "gather": {"wait_s": 600}}},
    }
    async with mf.App(config, plugins=[plugin], autoload=True) as app:
        while source.next < 20:
            await asyncio.sleep(0.01)
        storage: Any = app.components(mf.api.Kind.STORAGE)["clickhouse"]
        assert (await storage.health())["tables"] == {}
        answer = await storage.fetch_sql(
            "SELECT count() FROM flow_log.l7_message",
            "TabSeparated",
            settings={},
            can_set=True,
            query_id="q",
            max_rows=10,
            timeout_s=60,
        )
        assert answer == b"20\n"
        found = await app.query("sql", "SELECT Count(row) AS n FROM l7_message", db="flow_log")
        assert found.table.column("n").to_pylist() == [20]
        assert (await storage.health())["tables"][MESSAGES]["parts"] == 1
