"""Data goes from collectors to storages whole, in order, counted, and with bounded memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from metaflow_core.api import CounterSample
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, batch, plugin

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02)


def app(script: Script, pipeline: dict[str, Any], **sections: Any) -> App:
    return App({"pipelines": {"p": pipeline}, **sections}, plugins=[plugin(script)], policy=FAST)


WHOLE = {
    "collectors": ["file"],
    "parsers": ["alpha"],
    "taggers": ["tagger", "second"],
    "storages": ["store"],
    "exporters": ["out"],
}


def total(stats: Iterable[CounterSample], component: str, stage: str, unit: str = "records") -> int:
    return sum(each.value for each in stats if (each.component, each.stage, each.unit) == (component, stage, unit))


async def test_a_file_goes_through_every_stage_and_ends_the_pipeline() -> None:
    script = Script()
    stats = await app(script, WHOLE).run_until_complete()
    rows = [*range(80), 1_000_000]
    assert script.rows_of("store") == rows
    assert script.rows_of("out") == rows
    assert script.written["store"][0].data.column("by_second").to_pylist() == ["second"] * 10
    assert script.parsers == [["alpha"]]
    assert script.count("engine", "finish") == 1
    assert len({each.batch_id for each in script.written["store"]}) == 9
    assert total(stats, "storage.store", "sent") == 81


async def test_every_edge_sums_up() -> None:
    script = Script()
    stats = await app(script, WHOLE).run_until_complete()
    for component in ("tagger.tagger", "tagger.second", "storage.store", "exporter.out", "pipeline.p"):
        received, sent, dropped = (total(stats, component, stage) for stage in ("received", "sent", "dropped"))
        assert received == sent + dropped == 81, component
    assert total(stats, "collector.file", "sent", "blocks") == total(stats, "engine.engine", "queued", "blocks") == 8
    assert total(stats, "engine.engine", "taken", "blocks") == 8
    assert total(stats, "engine.engine", "sent") == total(stats, "pipeline.p", "received")
    assert total(stats, "engine.engine", "decode", "blocks") == 8


async def test_ready_records_pass_by_the_engine() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5), batch(0), batch(3, first=5)]
    await app(script, {"collectors": ["receiver"], "taggers": ["tagger"], "storages": ["store"]}).run_until_complete()
    assert script.rows_of("store") == list(range(8))


async def test_a_batch_with_an_id_is_handed_over_only_when_it_is_stored() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5, "mine-1"), batch(3, "mine-2", first=5)]
    script.gate = asyncio.Event()
    running = app(script, {"collectors": ["receiver"], "storages": ["store", "store/b"]}, storages={"store/b": {}})
    async with running:
        await asyncio.sleep(0.05)
        assert total(running.stats(), "collector.receiver", "sent") == 0
        script.gate.set()
        await running.wait()
    assert [each.batch_id for each in script.written["store"]] == ["mine-1", "mine-2"]
    assert total(running.stats(), "collector.receiver", "sent") == 8


async def test_a_slow_storage_holds_the_collector_and_memory_stays_flat() -> None:
    script = Script()
    script.blocks = 500
    script.gate = asyncio.Event()
    queue = {"max_batches": 4, "max_bytes": 65_536}
    running = app(script, {"collectors": ["tap"], "storages": ["store"], "queue": queue})
    async with running:
        await asyncio.sleep(0.3)
        line = running._runtime.generation.lines["p"]
        assert script.emitted < 30
        assert all(each.peak_items <= 4 for each in (line.blocks, line.records.queue, line.sinks[0].queue))
        assert all(each.peak_bytes <= 65_536 for each in (line.blocks, line.records.queue, line.sinks[0].queue))
        script.gate.set()
        await running.wait()
    assert script.rows_of("store")[:-1] == list(range(5000))


async def test_a_slow_exporter_loses_rows_and_holds_nobody() -> None:
    script = Script()
    script.blocks = 100
    script.hang = {"out.export"}
    queue = {"max_batches": 4}
    running = app(script, {**WHOLE, "queue": queue}, service={"stop_timeout_s": 0.2})
    async with running:
        await asyncio.sleep(0)
        while len(script.rows_of("store")) < 1001:
            await asyncio.sleep(0.01)
    stats = running.stats()
    assert script.rows_of("store") == [*range(1000), 1_000_000]
    assert total(stats, "exporter.out", "dropped") == 1001
    assert {each.reason for each in stats if each.stage == "dropped"} == {"queue_full", "stopped"}


async def test_two_collectors_do_not_share_sources() -> None:
    script = Script()
    await app(script, {"collectors": ["tap", "other"], "storages": ["store"]}).run_until_complete()
    assert script.sources == {0, 1 << 24}
    assert len(script.rows_of("store")) == 161


async def test_one_collector_feeds_two_pipelines_with_an_engine_each() -> None:
    script = Script()
    both = {"collectors": ["tap"], "parsers": ["alpha"]}
    running = App(
        {
            "pipelines": {"a": {**both, "storages": ["store"]}, "b": {**both, "storages": ["store/b"]}},
            "storages": {"store/b": {}},
        },
        plugins=[plugin(script)],
    )
    stats = await running.run_until_complete()
    assert script.rows_of("store") == script.rows_of("store/b") == [*range(80), 1_000_000]
    assert script.count("tap", "create") == 1
    assert script.count("engine", "create") == 2
    assert total(stats, "engine.engine@a", "taken", "blocks") == total(stats, "engine.engine@b", "taken", "blocks") == 8


async def test_an_idle_live_engine_is_told_the_time_and_a_file_never() -> None:
    script = Script()
    script.live = {"tap"}
    async with app(script, {"collectors": ["tap"], "storages": ["store"]}):
        await asyncio.sleep(0.2)
    assert len(script.ticks) > 2
    assert script.ticks == sorted(script.ticks)
    script = Script()
    script.live = {"file"}
    async with app(script, {"collectors": ["file"], "storages": ["store"]}):
        await asyncio.sleep(0.1)
    assert script.ticks == []


async def test_stopping_drains_what_is_inside() -> None:
    script = Script()
    script.live = {"tap"}
    script.write_s = 0.01
    async with app(script, {"collectors": ["tap"], "storages": ["store"]}):
        while script.emitted < 8:
            await asyncio.sleep(0.005)
    assert script.rows_of("store") == [*range(80), 1_000_000]
    kinds = [each for each, what in script.events if what == "stop"]
    assert kinds == ["tap", "engine", "store"]


async def test_threads_are_named_and_joined() -> None:
    script = Script()
    script.live = {"tap"}
    before = set(threading.enumerate())
    async with app(script, {"collectors": ["tap"], "taggers": ["tagger"], "storages": ["store"]}):
        await asyncio.sleep(0.05)
        mine = set(threading.enumerate()) - before
        assert {each.name for each in mine} == {"metaflow-engine", "metaflow-tagger"}
        assert not any(each.daemon for each in mine)
    assert not [each for each in set(threading.enumerate()) - before if each.name.startswith("metaflow-")]


async def test_taps_see_copies_and_a_slow_one_loses_the_oldest() -> None:
    script = Script()
    script.blocks = 20
    async with app(script, {"collectors": ["file"], "storages": ["store"]}) as running:
        quick, slow = running.tap("p"), running.tap("p", max_batches=3)
        seen = [n async for each in quick for n in each.data.column("n").to_pylist()]
        await running.wait()
        late = [n async for each in slow for n in each.data.column("n").to_pylist()]
    assert seen == [*range(200), 1_000_000]
    assert late == [*range(180, 200), 1_000_000]
    assert slow.dropped == 180
    assert total(running.stats(), "tap.p", "dropped") == 180


async def test_two_apps_know_nothing_of_each_other() -> None:
    one, two = Script(), Script()
    two.blocks = 3
    async with app(one, WHOLE) as first, app(two, WHOLE) as second:
        await asyncio.gather(first.wait(), second.wait())
    assert len(one.rows_of("store")) == 81
    assert len(two.rows_of("store")) == 31
    assert total(first.stats(), "storage.store", "sent") == 81
    assert total(second.stats(), "storage.store", "sent") == 31


async def test_no_hook_is_called_while_data_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    import pluggy

    script = Script()
    script.blocks = 50
    running = app(script, WHOLE)
    calls: list[str] = []
    original = pluggy.HookCaller.__call__

    def counting(self: pluggy.HookCaller, **kwargs: object) -> object:
        calls.append(self.name)
        return original(self, **kwargs)

    monkeypatch.setattr(pluggy.HookCaller, "__call__", counting)
    await running.run_until_complete()
    assert len(script.rows_of("store")) == 501
    assert set(calls) <= {"metaflow_status_changed"}
    # one component changes state a handful of times, however much data flows
    assert len(calls) <= 6 * 8
