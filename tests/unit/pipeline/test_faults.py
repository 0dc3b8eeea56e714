"""Every component may fail at every point; the others go on, and what happened is said and counted."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from metaflow_core.errors import ComponentError, MetaFlowError, ResourceConflict, StartError
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, batch, plugin, refuse
from tests.unit.pipeline.test_flow import FAST, WHOLE, app, total

ALL = ("file", "engine", "tagger", "second", "store", "out")


def states(running: App) -> dict[str, str]:
    return {each["id"]: each["state"] for each in running.status() if each["kind"] != "parser"}


@pytest.mark.parametrize("id", ALL)
@pytest.mark.parametrize("what", ["create", "start"])
async def test_what_fails_at_the_start_is_named_and_the_rest_is_stopped(id: str, what: str) -> None:
    script = Script()
    script.fail = {f"{id}.{what}": 1}
    running = app(script, WHOLE)
    with pytest.raises(ComponentError, match=rf"{id}: .*{id} was told to fail in {what}"):
        await running.start()
    started = {each for each, did in script.events if did == "start"}
    if what == "create":
        # build all, then start all
        assert started == set()
    assert started <= {each for each, did in script.events if did == "stop"}
    assert "emit" not in {did for _, did in script.events}


async def test_everything_that_cannot_be_built_is_named_at_once() -> None:
    script = Script()
    script.fail = {"store.create": 1, "file.create": 1}
    with pytest.raises(StartError, match=r"storages\.store: .*; collectors\.file: "):
        await app(script, WHOLE).start()


@pytest.mark.parametrize("id", ["tagger", "store", "out"])
async def test_an_ignored_component_is_left_out(id: str) -> None:
    script = Script()
    script.fail = {f"{id}.start": 1}
    section = {"tagger": "taggers", "store": "storages", "out": "exporters"}[id]
    running = app(script, WHOLE, **{section: {id: {"_startup_error": "ignore"}}})
    stats = await running.run_until_complete()
    assert states(running)[id] == "failed"
    for other in {"store", "out"} - {id}:
        assert len(script.rows_of(other)) == 81
    if id != "tagger":
        assert [each.reason for each in stats if each.component.endswith(f".{id}") and each.stage == "dropped"] == [
            "not_started"
        ]


@pytest.mark.parametrize("id", ALL)
async def test_a_component_is_tried_until_it_starts(id: str) -> None:
    script = Script()
    script.fail = {f"{id}.start": 3}
    # a tagger is not waited for; rows go on without it
    script.push_s = 0.02 if id in {"tagger", "second"} else 0.0
    running = app(script, WHOLE, service={"startup_error": "retry"})
    await running.run_until_complete()
    assert script.count(id, "start") == 4
    assert len(script.rows_of("store")) == 81
    assert states(running)[id] == "stopped"


@pytest.mark.parametrize(
    ("id", "what"), [("file", "run"), ("engine", "push"), ("tagger", "tag"), ("store", "write"), ("out", "export")]
)
async def test_a_fault_is_survived(id: str, what: str) -> None:
    script = Script()
    script.fail = {f"{id}.{what}": 2}
    running = app(script, WHOLE)
    stats = await running.run_until_complete()
    lost = 2 * script.rows if id == "engine" else 0
    assert len(script.rows_of("store")) == 81 - lost
    if id in {"file", "engine", "tagger", "store"}:
        restarts = {each["id"]: each["restarts"] for each in running.status()}[id]
        assert restarts == script.count(id, "create") - 1 >= 1
    if id == "engine":
        assert total(stats, "engine.engine", "dropped", "blocks") == 2
        assert total(stats, "engine.engine", "decode", "blocks") == 6
    if id == "tagger":
        assert total(stats, "tagger.tagger", "untagged") >= 10
        assert total(stats, "tagger.tagger", "sent") == 81
    assert len(script.rows_of("out")) == 81 - lost


@pytest.mark.parametrize(("id", "what"), [("file", "run"), ("engine", "push"), ("tagger", "tag"), ("store", "write")])
async def test_what_keeps_failing_is_quarantined_and_the_rest_goes_on(id: str, what: str) -> None:
    script = Script()
    script.blocks = 30
    # the taggers must be given time to fail again
    script.push_s = 0.02 if id == "tagger" else 0.0
    script.fail = {f"{id}.{what}": 10_000}
    running = app(script, WHOLE)
    stats = await running.run_until_complete()
    assert states(running)[id] == "quarantined"
    assert script.count(id, what) == 5
    messages = [each["message"] for each in running.status() if each["id"] == id]
    assert "told to fail" in messages[0]
    assert "5 faults in 60 s" in messages[0]
    if id == "store":
        assert {each.reason for each in stats if each.component == "storage.store" and each.stage == "dropped"} == {
            "fault",
            "quarantined",
        }
        assert len(script.rows_of("out")) == 301
    if id == "tagger":
        assert script.rows_of("store") == [*range(300), 1_000_000]
    if id == "engine":
        assert total(stats, "engine.engine", "dropped", "blocks") == 30


async def test_on_error_fail_ends_the_app() -> None:
    script = Script()
    script.blocks = 30
    script.live = {"tap"}
    script.fail = {"engine.push": 10_000}
    with pytest.raises(ComponentError, match="engines.engine: keeps failing, and pipeline p has on_error: fail"):
        await app(script, {**WHOLE, "collectors": ["tap"], "on_error": "fail"}).run_until_complete()


async def test_a_refusing_storage_is_asked_again_until_it_takes_the_batch() -> None:
    script = Script()
    script.error = refuse
    script.fail = {"store.write": 20}
    running = app(script, WHOLE)
    stats = await running.run_until_complete()
    assert script.rows_of("store") == [*range(80), 1_000_000]
    assert total(stats, "storage.store", "retries", "batches") == 20
    assert script.count("store", "create") == 1


async def test_a_poisonous_batch_is_given_up_and_the_sender_told() -> None:
    script = Script()
    script.blocks = 0
    script.emit_records = [batch(5, "poison")]
    script.fail = {"store.write": 3}
    running = app(script, {"collectors": ["receiver"], "storages": ["store"]})
    stats = await running.run_until_complete()
    # the collector saw the error, was restarted, and sent the batch again
    assert script.rows_of("store") == list(range(5))
    assert total(stats, "storage.store", "dropped") == 5


@pytest.mark.parametrize("id", ALL)
@pytest.mark.parametrize("deaf", [False, True])
async def test_a_hanging_stop_is_left_behind(id: str, deaf: bool) -> None:
    script = Script()
    script.hang = {f"{id}.stop"} | ({f"{id}.stop.deaf"} if deaf else set())
    running = app(script, WHOLE, service={"stop_timeout_s": 0.05})
    await running.start()
    await running.wait()
    said = await running.stop()
    assert len(script.rows_of("store")) == 81
    assert states(running)[id] == "failed"
    if id != "file":
        assert said == [
            f"{running.config.components and _section(id)}.{id}: did not stop within 0.05 s and was left behind"
        ]
    script.hang.clear()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        await asyncio.wait({task}, timeout=1)


def _section(id: str) -> str:
    return {
        "engine": "engines",
        "tagger": "taggers",
        "second": "taggers",
        "store": "storages",
        "out": "exporters",
        "file": "collectors",
    }[id]


@pytest.mark.parametrize("id", ALL)
async def test_a_failing_stop_hides_nothing(id: str) -> None:
    script = Script()
    script.fail = {f"{id}.stop": 1}
    running = app(script, WHOLE)

    async def body() -> None:
        async with running:
            await running.wait()
            raise KeyError("the body")

    with pytest.raises(KeyError, match="the body") as caught:
        await body()
    if id != "file":
        assert any(f"{id} was told to fail in stop" in note for note in caught.value.__notes__)
    assert all(script.count(each, "stop") == 1 for each in ALL)
    assert states(running)[id] == "failed"


async def test_stop_is_safe_before_start_and_again() -> None:
    script = Script()
    running = app(script, WHOLE)
    assert await running.stop() == []
    assert await running.stop() == []
    with pytest.raises(MetaFlowError, match="an app runs once"):
        await running.start()
    other = app(Script(), WHOLE)
    await other.start()
    assert await other.stop() == await other.stop() == []


async def test_a_call_that_hangs_in_a_thread_does_not_keep_the_app() -> None:
    script = Script()
    script.push_s = 0.4
    script.blocks = 1
    running = app(script, {"collectors": ["tap"], "storages": ["store"]}, service={"stop_timeout_s": 0.05})
    async with running:
        await asyncio.sleep(0.05)
    assert states(running)["engine"] == "failed"
    assert "a call hangs" in next(each["message"] for each in running.status() if each["id"] == "engine")
    await asyncio.sleep(0.5)


async def test_two_components_on_one_port_are_found_before_anything_starts() -> None:
    script = Script()
    running = app(
        script,
        {"collectors": ["tap", "other"], "storages": ["store"]},
        collectors={"tap": {"port": 9000}, "other": {"port": 9000}},
    )
    with pytest.raises(
        MetaFlowError, match="collectors.other: wants tcp:127.0.0.1:9000, which collectors.tap has already"
    ):
        running.validate()
    with pytest.raises(ResourceConflict):
        await running.start()
    assert {what for _, what in script.events} <= {"create", "stop"}


async def test_notifications_are_coalesced(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    script.error = refuse
    script.fail = {"store.write": 200}
    policy = SupervisionPolicy(first_rest_s=0.0005, longest_rest_s=0.0005, notify_s=0.2)
    running = App({"pipelines": {"p": WHOLE}}, plugins=[plugin(script)], policy=policy)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(running.host, "notify_status", lambda status: told.append((str(status.id), status.state.value)))
    running._runtime.board._notify = running.host.notify_status
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await running.run_until_complete()
    allowed = (loop.time() - begin) / 0.2 + 2
    assert 1 <= len([each for each in told if each[0] == "store"]) <= allowed
    assert told[-1] in {("store", "stopped"), ("out", "stopped")} or ("store", "stopped") in told


async def test_a_component_says_itself_that_it_is_degraded() -> None:
    script = Script()
    script.live = {"tap"}
    async with app(script, {"collectors": ["tap"], "storages": ["store"]}) as running:
        await asyncio.to_thread(script.contexts["tap"].report, "degraded", "an interface went away")
        found = next(each for each in running.status() if each["id"] == "tap")
        assert (found["state"], found["message"]) == ("degraded", "an interface went away")


async def test_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    script = Script()
    script.fail = {"tagger.tag": 1, "store.write": 1, "file.run": 1}
    await app(script, WHOLE).run_until_complete()
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == before


def test_the_whole_policy_is_the_documented_one() -> None:
    policy = SupervisionPolicy()
    assert [policy.rest_s(n) for n in range(1, 7)] == [1, 2, 4, 8, 16, 30]
    assert (policy.faults, policy.window_s, policy.notify_s) == (5, 60, 1)
    assert FAST.faults == 5


async def test_counters_of_a_component_that_lies_do_not_break_the_rest() -> None:
    script = Script()

    class Lying(Exception):
        pass

    running = app(script, WHOLE)
    async with running:
        engine: Any = running._runtime.generation.lines["p"].engine
        engine.component.counters = lambda: (_ for _ in ()).throw(Lying())
        await running.wait()
    assert len(script.rows_of("store")) == 81
