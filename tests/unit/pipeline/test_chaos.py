"""Whatever fails, and how often: the app ends, nothing hangs, and every row is accounted for."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, plugin, refuse
from tests.unit.pipeline.test_flow import FAST, total

POINTS = [
    "file.run", "file.emit", "engine.push", "engine.finish", "tagger.tag", "second.tag", "store.write", "out.export", "store.start", "engine.create",
]  # fmt: skip
FAILURES = st.dictionaries(st.sampled_from(POINTS), st.integers(1, 12), max_size=4)


@settings(deadline=None, max_examples=40)
@given(FAILURES, st.integers(1, 3), st.booleans(), st.booleans())
def test_every_row_is_accounted_for(failures: dict[str, int], room: int, refusing: bool, cut_off: bool) -> None:
    script = Script()
    script.fail = dict(failures)
    if refusing:
        script.error = refuse
    pipeline: dict[str, Any] = {
        "collectors": ["file"],
        "parsers": ["alpha"],
        "taggers": ["tagger", "second"],
        "storages": ["store"],
        "exporters": ["out"],
        "queue": {"max_batches": room},
    }
    config = {"pipelines": {"p": pipeline}, "service": {"startup_error": "retry", "stop_timeout_s": 0.3}}

    async def main() -> App:
        app = App(config, plugins=[plugin(script)], policy=FAST)
        async with app:
            if not cut_off:
                await asyncio.wait_for(app.wait(), 20)
        return app

    stats = asyncio.run(main()).stats()
    for component in ("tagger.tagger", "tagger.second", "storage.store", "exporter.out", "pipeline.p"):
        received, sent, dropped = (total(stats, component, stage) for stage in ("received", "sent", "dropped"))
        assert received == sent + dropped, (component, received, sent, dropped)
    queued, taken, lost = (total(stats, "engine.engine", stage, "blocks") for stage in ("queued", "taken", "dropped"))
    assert queued == taken + lost
    assert total(stats, "engine.engine", "sent") == total(stats, "pipeline.p", "received")
    assert len(script.rows_of("store")) == total(stats, "storage.store", "sent")
    assert len(script.rows_of("store")) == len(set(script.rows_of("store"))) or script.count("file", "run") > 1
