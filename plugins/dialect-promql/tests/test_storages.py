"""The same answers from every storage that is installed: plans say what is wanted, not how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare import ask, difference
from expressions import HAND

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.api.clock import SystemClock
from metaflow_core.query import Scan
from metaflow_core.testing import build_context

BASE_S = 1_800_000_000


@pytest.mark.parametrize(("name", "options"), [("duckdb", {}), ("clickhouse", {"retention": "forever"})])
async def test_same_answers_from(
    name: str, options: dict[str, Any], tmp_path: Path, make_app: Any, stored: Any
) -> None:
    plugin = pytest.importorskip(f"metaflow_storage_{name}.plugin", reason=f"metaflow-storage-{name} is not installed")
    pytest.importorskip(
        {"duckdb": "duckdb", "clickhouse": "chdb"}[name], reason=f"the engine of {name} is not installed"
    )
    factory = next(iter(plugin.metaflow_storages()))
    context = build_context(Kind.STORAGE, name, data_dir=tmp_path, clock=SystemClock())
    storage = factory.create(context, factory.config.model_validate(options))
    await storage.start()
    try:
        rows = await stored.execute(Scan("prometheus.samples"))
        for number, batch in enumerate(rows.combine_chunks().to_batches()):
            await storage.write(RecordBatch("prometheus.samples", batch, f"batch-{number}"))
        theirs, ours = make_app(storage), make_app(stored)
        end = BASE_S + 85 * 60 + 7
        for text in HAND[::5]:
            params = {"start": end - 2400, "end": end, "step": 120}
            found = await ask(theirs.dialect, storage, text, params)
            expected = await ask(ours.dialect, stored, text, params)
            assert difference(found, expected, False) is None, text
    finally:
        await storage.stop()
