"""Stopping: what is inside flows out for as long as it flows, and what is given up is said and counted."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, plugin

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02)
ROWS = 60 * 10


def loaded(script: Script, **service: Any) -> App:
    """An app whose storage takes far longer than its collector."""
    script.blocks, script.write_s = 60, 0.02
    pipeline = {"collectors": ["file"], "parsers": ["alpha"], "storages": ["store"]}
    return App({"pipelines": {"p": pipeline}, "service": service}, plugins=[plugin(script)], policy=FAST)


def given_up(app: App) -> int:
    return sum(
        each.value
        for each in app.stats()
        if (each.component, each.stage, each.reason) in (("storage.store", "dropped", "stopped"), ("pipeline.p", "dropped", "stopped"))
        and each.unit == "records"
    )  # fmt: skip


async def stopped_in_the_midst(app: App, script: Script) -> None:
    await app.start()
    while script.emitted < script.blocks or not script.written["store"]:
        await asyncio.sleep(0.005)
    await app.stop()


async def test_what_moves_is_waited_for_longer_than_what_stands_still() -> None:
    script = Script()
    app = loaded(script, stop_timeout_s=0.3)
    await stopped_in_the_midst(app, script)
    assert set(range(ROWS)) <= set(script.rows_of("store")), (
        "sixty writes of 20 ms take four times as long as nothing may move"
    )
    assert not given_up(app)


async def test_the_bound_of_all_is_kept_and_what_is_given_up_is_said(caplog: pytest.LogCaptureFixture) -> None:
    script = Script()
    app = loaded(script, stop_timeout_s=5, drain_timeout_s=0.2)
    with caplog.at_level(logging.ERROR):
        await stopped_in_the_midst(app, script)
    lost = given_up(app)
    assert 0 < lost < ROWS
    [said] = [each.getMessage() for each in caplog.records if "Pipeline p" in each.getMessage()]
    assert f"it took more than 0.2 s: {lost} rows" in said
    assert "service.drain_timeout_s" in said


async def test_a_storage_that_hangs_ends_it_soon(caplog: pytest.LogCaptureFixture) -> None:
    script = Script()
    app = loaded(script, stop_timeout_s=0.2, drain_timeout_s=3600)
    script.gate = asyncio.Event()
    await app.start()
    while script.emitted < script.blocks:
        await asyncio.sleep(0.005)
    with caplog.at_level(logging.ERROR):
        await app.stop()
    assert given_up(app)
    assert any("nothing moved for 0.2 s" in each.getMessage() for each in caplog.records)
