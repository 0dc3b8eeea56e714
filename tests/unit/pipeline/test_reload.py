"""A reload touches only what changed and what stands before it; a failure leaves everything as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from metaflow_core.errors import ComponentError, ConfigError, MetaFlowError
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, plugin
from tests.unit.pipeline.test_flow import FAST

BASE: dict[str, Any] = {
    "collectors": {"tap": {}, "other": {}},
    "taggers": {"tagger": {}},
    "storages": {"store": {}, "store/b": {}},
    "pipelines": {
        "a": {"collectors": ["tap"], "parsers": ["alpha"], "taggers": ["tagger"], "storages": ["store"]},
        "b": {"collectors": ["other"], "parsers": ["alpha"], "storages": ["store/b"]},
    },
}


def live(script: Script, config: dict[str, Any] | None = None) -> App:
    script.live = {"tap", "other"}
    script.blocks = 2
    return App(config or BASE, plugins=[plugin(script)], policy=FAST)


def changed(**sections: Any) -> dict[str, Any]:
    return {**BASE, **sections}


async def settle(script: Script) -> None:
    """Until what was emitted so far has been stored."""
    for _ in range(200):
        if len(script.rows_of("store")) >= 20 and len(script.rows_of("store/b")) >= 20:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(script.events)


def since(script: Script, mark: int) -> list[tuple[str, str]]:
    return [each for each in script.events[mark:] if each[1] in {"create", "start", "stop"}]


async def test_nothing_changed_does_nothing() -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        assert not await app.reload()
        assert since(script, mark) == []
        assert app.generation == {"generation": 1, "last_error": ""}


async def test_a_changed_collector_alone_is_replaced() -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        diff = await app.reload(changed(collectors={"tap": {"value": "new"}, "other": {}}))
        assert diff.to_dict()["changed"] == ["collectors.tap"]
        assert since(script, mark) == [("tap", "create"), ("tap", "start"), ("tap", "stop")]
        for _ in range(100):
            if len(script.rows_of("store")) == 40:
                break
            await asyncio.sleep(0.01)
        assert script.rows_of("store") == [*range(20), *range(20)]
        assert app.generation["generation"] == 2


async def test_what_stands_before_a_changed_storage_is_built_anew_and_nothing_else() -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        await app.reload(changed(storages={"store": {"value": "new"}, "store/b": {}}))
        created = {each for each, what in since(script, mark) if what == "create"}
        assert created == {"store", "tagger", "engine", "tap"}
        order = since(script, mark)
        assert (
            order.index(("store", "start"))
            < order.index(("tap", "start"))
            < order.index(("tap", "stop"))
            < order.index(("store", "stop"))
        )
    # what the old engine held was not lost when it went
    assert script.rows_of("store").count(1_000_000) == 2


async def test_a_changed_parser_rebuilds_its_engines() -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        await app.reload(changed(parsers={"alpha": {"value": "x"}}))
        assert script.count("engine", "create") == 4
        assert script.count("store", "create") == 1


async def test_pipelines_come_and_go_while_the_others_work() -> None:
    script = Script()
    pipelines = BASE["pipelines"]
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        more = {**pipelines, "c": {"collectors": ["tap"], "parsers": ["alpha"], "storages": ["store"]}}
        await app.reload(changed(pipelines=more))
        assert {each for each, what in since(script, mark) if what == "create"} == {"engine"}
        mark = len(script.events)
        await app.reload(changed(pipelines={"a": pipelines["a"]}))
        gone = [each for each, what in since(script, mark) if what == "stop"]
        assert sorted(gone) == ["engine", "engine", "other", "store/b"]
        tap = app.tap("a")
        script.blocks = 4
        assert (await asyncio.wait_for(anext(tap), 5)).data.num_rows == 10
        states = {each["id"]: each["state"] for each in app.status()}
        assert "other" not in states
        assert states["tap"] == "running"


@pytest.mark.parametrize("what", ["create", "start"])
async def test_a_failing_change_leaves_everything_as_it_was(what: str) -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        before = app.config
        script.fail = {f"tap.{what}": 1}
        with pytest.raises(ComponentError, match=f"collectors.tap: .*told to fail in {what}"):
            await app.reload(changed(storages={"store": {"value": "new"}, "store/b": {}}))
        assert app.generation["generation"] == 1
        assert "told to fail" in app.generation["last_error"]
        # the old ones were never touched
        assert script.count("engine", "finish") == 0
        assert all(each["state"] == "running" for each in app.status())
        assert app.config is before
        stops = [each for each, did in since(script, mark) if did == "stop"]
        assert stops.count("tap") == (0 if what == "create" else 1)
        script.blocks = 3
        for _ in range(100):
            if len(script.rows_of("store")) == 30:
                break
            await asyncio.sleep(0.01)
        assert script.rows_of("store") == list(range(30))


async def test_the_same_port_is_given_up_before_it_is_taken() -> None:
    script = Script()
    config = changed(collectors={"tap": {"port": 9000}, "other": {}})
    async with live(script, config) as app:
        await settle(script)
        mark = len(script.events)
        await app.reload(changed(collectors={"tap": {"port": 9000, "value": "new"}, "other": {}}))
        assert since(script, mark) == [("tap", "create"), ("tap", "stop"), ("tap", "start")]


async def test_the_previous_one_comes_back_when_the_next_cannot_start() -> None:
    script = Script()
    config = changed(collectors={"tap": {"port": 9000}, "other": {}})
    async with live(script, config) as app:
        await settle(script)
        script.fail = {"tap.start": 1}
        with pytest.raises(ComponentError, match="told to fail in start"):
            await app.reload(changed(collectors={"tap": {"port": 9000, "value": "new"}, "other": {}}))
        assert app.generation["generation"] == 1
        assert app.config.dump()["collectors"]["tap"]["value"] == ""
        assert {each["id"]: each["state"] for each in app.status()}["tap"] == "running"
        for _ in range(100):
            if len(script.rows_of("store")) == 40:
                break
            await asyncio.sleep(0.01)
        assert script.rows_of("store") == [*range(20), *range(20)]


async def test_when_not_even_the_previous_one_starts_the_app_fails_with_both_sentences() -> None:
    script = Script()
    config = changed(collectors={"tap": {"port": 9000}, "other": {}})
    async with live(script, config) as app:
        await settle(script)
        script.fail = {"tap.start": 2}
        with pytest.raises(ComponentError):
            await app.reload(changed(collectors={"tap": {"port": 9000, "value": "new"}, "other": {}}))
        with pytest.raises(ComponentError, match="neither could the previous one"):
            await app.wait()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"service": {"stop_timeout_s": 5}}, "service changed, which cannot be taken over"),
        ({"plugins": {"disable": ["x"]}}, "plugins changed"),
        ({"collectors": {"tap": {"valu": 1}, "other": {}}}, "did you mean value"),
        ({"pipelines": {}, "collectors": 7}, "a map of component ids"),
    ],
)
async def test_what_cannot_be_taken_over_is_refused(sections: dict[str, Any], said: str) -> None:
    script = Script()
    async with live(script) as app:
        await settle(script)
        mark = len(script.events)
        with pytest.raises(ConfigError, match=said):
            await app.reload(changed(**sections))
        assert since(script, mark) == []
        assert said in app.generation["last_error"]


async def test_only_a_running_app_is_reloaded() -> None:
    app = live(Script())
    with pytest.raises(MetaFlowError, match="only a running app"):
        await app.reload()


async def test_a_tap_lives_through_a_reload() -> None:
    script = Script()
    async with live(script) as app:
        tap = app.tap("a")
        await settle(script)
        await app.reload(changed(storages={"store": {"value": "new"}, "store/b": {}}))
        numbers: list[int] = []
        while numbers.count(0) < 2:
            numbers += (await asyncio.wait_for(anext(tap), 5)).data.column("n").to_pylist()
        assert numbers[:20] == list(range(20))
