"""A pipeline works as soon as its own components have started; nobody's rows wait for a service that takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

from metaflow_core.hooks.host import PluginHost
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, plugin

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02)


def slow_page(script: Script, pipelines: dict[str, Any]) -> App:
    """An app whose service never comes to the end of its start."""
    script.hang, script.live = {"page.start"}, {"tap", "other"}
    return App({"pipelines": pipelines, "services": {"page": {}}}, plugins=[plugin(script)], policy=FAST)


async def until_page_starts(app: App, script: Script) -> asyncio.Task[None]:
    starting = asyncio.ensure_future(app.start())
    while not script.count("page", "start"):
        await asyncio.sleep(0.005)
    return starting


async def given_up(app: App, starting: asyncio.Task[None]) -> None:
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await app.stop()


async def test_live_rows_are_stored_and_tapped_while_a_service_starts() -> None:
    script = Script()
    app = slow_page(script, {"p": {"collectors": ["tap"], "parsers": ["alpha"], "storages": ["store"]}})
    tap = app.tap("p")
    starting = await until_page_starts(app, script)
    first = await asyncio.wait_for(anext(aiter(tap)), 10)
    while len(script.rows_of("store")) < 80:
        await asyncio.sleep(0.005)
    assert first.data.num_rows
    assert not starting.done()
    await given_up(app, starting)
    assert script.count("tap", "stop") == 1
    assert script.count("store", "stop") == 1


async def test_files_and_pipelines_that_share_a_collector_wait_for_everything() -> None:
    script = Script()
    shared = {"collectors": ["tap", "other"], "parsers": ["alpha"], "storages": ["store"]}
    late = {"collectors": ["other", "receiver"], "parsers": ["alpha"], "storages": ["store"]}
    file = {"collectors": ["file"], "parsers": ["alpha"], "storages": ["store"]}
    app = slow_page(script, {"shared": shared, "late": late, "file": file})
    starting = await until_page_starts(app, script)
    await asyncio.sleep(0.05)
    assert [event for event in script.events if event[1] == "run"] == []
    await given_up(app, starting)


def test_an_app_takes_the_plugins_that_somebody_loaded() -> None:
    host = PluginHost()
    host.load(autoload=False, objects=[plugin(Script())])
    app = App({"pipelines": {"p": {"collectors": ["tap"], "parsers": ["alpha"], "storages": ["store"]}}}, host=host)
    assert app.host is host
    assert {each.name for each in app.plugins if each.state == "loaded"} == {"fakes"}
