"""Rows wait in memory until enough of them are there, or somebody asks; none is lost, and none is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from metaflow_core.api import RecordBatch
from metaflow_core.config.sections import GatherSection
from metaflow_core.model.catalog import load_catalog
from metaflow_core.pipeline.gather import Gather, joined
from metaflow_core.pipeline.sink import Delivery
from metaflow_core.query import Combine, Scan, tables_of
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import TABLE, Script, batch, refuse
from tests.unit.pipeline.test_flow import app, total

LIVE: dict[str, Any] = {
    "collectors": ["tap"],
    "parsers": ["alpha"],
    "taggers": ["tagger"],
    "storages": ["store"],
    "gather": {"wait_s": 60},
}
RECORDS: dict[str, Any] = {"collectors": ["receiver"], "parsers": ["*"], "storages": ["store"]}


def live(script: Script, **more: Any) -> App:
    script.live = {"tap", "receiver"}
    return app(script, {**LIVE, **more}, dialects={"ask": {}})


async def until(reached: Callable[[], object]) -> None:
    """Looks again and again; a test that waits in vain ends by its own time limit."""
    while not reached():
        await asyncio.sleep(0.005)


def taken(running: App) -> int:
    return total(running.stats(), "engine.engine", "taken", "blocks")


async def test_rows_wait_until_somebody_asks_and_are_tagged_and_written_together() -> None:
    script = Script()
    async with live(script) as running:
        await until(lambda: taken(running) == 8)
        assert (script.count("store", "write"), script.count("tagger", "tag")) == (0, 0)
        await running.query("ask", "x")
        assert script.rows_of("store") == list(range(80))
        assert (script.count("store", "write"), script.count("tagger", "tag")) == (1, 1)
        # a page that asks again at once has nothing written for it
        await running.query("ask", "x")
        assert script.count("store", "write") == 1
        stats = running.stats()
    assert total(stats, "pipeline.p", "flushed", "times") == 1
    assert script.rows_of("store") == [*range(80), 1_000_000]


async def test_an_engine_that_keeps_a_few_rows_until_the_next_tick_gives_them_to_who_asks() -> None:
    script = Script()
    script.is_thrifty = True
    async with live(script) as running:
        await until(lambda: taken(running) == 8)
        await running.query("ask", "x")
        assert script.rows_of("store") == list(range(80))


async def test_a_clean_stop_writes_what_waits() -> None:
    script = Script()
    async with live(script) as running:
        await until(lambda: taken(running) == 8)
    assert script.rows_of("store") == [*range(80), 1_000_000]
    stats = running.stats()
    assert total(stats, "pipeline.p", "received") == total(stats, "pipeline.p", "sent") == 81


async def test_nobody_waits_longer_than_was_said() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5), batch(3, first=5)]
    async with live(script, **RECORDS, taggers=[], gather={"wait_s": 0.1}):
        await until(lambda: script.rows_of("store") == list(range(8)))
        assert script.count("store", "write") == 1


async def test_what_waits_is_bounded() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(10, first=10 * number) for number in range(10)]
    async with live(script, **RECORDS, gather={"wait_s": 60, "max_rows": 40}):
        await until(lambda: len(script.rows_of("store")) == 80)
        assert script.count("store", "write") == 2
    assert script.rows_of("store") == list(range(100))


async def test_whoever_looks_at_rows_as_they_come_has_them_at_once() -> None:
    script = Script()
    running = live(script)
    tagged, plain, other = (
        running.tap("p", tables=[TABLE]),
        running.tap("p", tables=[TABLE], tagged=False, patience_s=5),
        running.tap("p", tables=["flow_log.l4_flow_log"]),
    )
    async with running:
        seen = [await anext(tagged) for _ in range(2)]
        assert [each.data.column("by_tagger")[0].as_py() for each in seen] == ["tagger", "tagger"]
        assert (await anext(plain)).data.num_rows
        assert not script.count("store", "write")
    assert script.rows_of("store") == [*range(80), 1_000_000]
    assert [each async for each in other] == []


async def test_exporters_have_every_row_at_once_and_once() -> None:
    script = Script()
    async with live(script, exporters=["out"]):
        await until(lambda: script.rows_of("out") == list(range(80)))
        assert not script.count("store", "write")
    assert script.rows_of("out") == script.rows_of("store") == [*range(80), 1_000_000]


@pytest.mark.parametrize("held_s", [0, 30])
async def test_a_batch_of_a_sender_that_waits_is_answered_when_it_is_stored(held_s: float) -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5, "mine-1")]
    async with live(script, **RECORDS, gather={"wait_s": 60, "held_s": held_s}) as running:
        if held_s:
            await until(lambda: total(running.stats(), "pipeline.p", "received") == 5)
            await asyncio.sleep(0.02)
            assert total(running.stats(), "collector.receiver", "sent") == 0
            await running.query("ask", "x")
        await until(lambda: total(running.stats(), "collector.receiver", "sent") == 5)
        assert [each.batch_id for each in script.written["store"]] == ["mine-1"]


async def test_a_store_that_refuses_keeps_no_question_waiting() -> None:
    script = Script()
    script.fail, script.error = {"store.write": 10_000}, refuse
    async with live(script) as running:
        await until(lambda: taken(running) == 8)
        begun = asyncio.create_task(running.query("ask", "x"))
        await until(lambda: total(running.stats(), "storage.store", "retries", "batches"))
        script.fail.clear()
        await begun
    assert script.rows_of("store") == [*range(80), 1_000_000]


async def test_what_is_given_up_at_the_end_is_counted() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5), batch(3, "mine")]
    script.hang = {"store.write"}
    service = {"stop_timeout_s": 0.2, "drain_timeout_s": 1}
    script.live = {"receiver"}
    running = app(script, {**RECORDS, "gather": {"wait_s": 60, "held_s": 60}}, service=service)
    async with running:
        await until(lambda: total(running.stats(), "pipeline.p", "received") == 8)
    stats = running.stats()
    assert sum(each.value for each in stats if (each.stage, each.reason) == ("dropped", "stopped")) == 8


async def test_a_broken_tagger_loses_no_row() -> None:
    script = Script()
    script.fail = {"tagger.tag": 1}
    async with live(script) as running:
        await until(lambda: taken(running) == 8)
        await running.query("ask", "x")
        assert script.rows_of("store") == list(range(80))
    # and perhaps the row with which the engine ended
    assert total(running.stats(), "tagger.tagger", "untagged") in (80, 81)


def test_batches_with_the_same_columns_become_one_with_one_dictionary() -> None:
    def words(*texts: str, more: bool = False) -> RecordBatch:
        columns = {"w": pa.array(texts).dictionary_encode(), **({"n": pa.array([1] * len(texts))} if more else {})}
        return RecordBatch(TABLE, pa.record_batch(columns), "id")

    one, two = joined([words("a", "b"), words("c", more=True), words("b", "c"), words("a", more=True)])
    assert one.data.column("w").to_pylist() == ["a", "b", "b", "c"]
    assert sorted(one.data.column("w").dictionary.to_pylist()) == ["a", "b", "c"]
    assert (two.data.column("w").to_pylist(), one.batch_id) == (["c", "a"], "")
    assert joined([one]) == [one]


def test_tables_are_tagged_in_the_order_of_the_engine_and_due_together() -> None:
    gather = Gather(GatherSection(wait_s=10, held_s=4), ["a", "b"])
    for name, now in (("c", 0.0), ("b", 1.0), ("a", 9.0)):
        gather.add(RecordBatch(name, batch(2).data), now, is_tagged=False)
    assert [heap.table for heap in gather.raw()] == ["a", "b", "c"]
    assert (gather.rest(7.0), gather.due(10.0)) == (3.0, {"b", "c"})
    assert not gather.hold(Delivery.of(batch(1, "x")), 9.0)
    assert gather.rest(10.0) == 0.0
    gather.take({"b", "c"})
    assert gather.rest(10.0) == 3.0
    gather.take()
    assert (gather.rows, gather.nbytes, len(gather), gather.rest(10.0)) == (0, 0, 0, None)


def test_a_plan_reads_what_it_scans_and_what_that_is_made_of() -> None:
    catalog = load_catalog()
    rolled = next(table for table in catalog.tables.values() if table.rolled_from)
    root = rolled
    while root.rolled_from:
        root = catalog.tables[root.rolled_from]
    plan = Combine((Scan(rolled.name), Scan(TABLE), Scan("no.such")), ())
    assert tables_of(plan, catalog) == {root.name, TABLE}
