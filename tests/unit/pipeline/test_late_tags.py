"""Rows that were stored without tags get them when a tagger learns more, as long as they are recent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from metaflow_core.api import Config, RecordBatch, StorageFactory, TaggerFactory
from metaflow_core.errors import StorageError
from metaflow_core.hooks import hookimpl
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.query import Tags
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, plugin

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02, late_tags_s=0.02)
LOG = "flow_log.l7_flow_log"


class Tagger:
    """Puts what it knows on every row that has an address."""

    def __init__(self) -> None:
        self.version = 0
        self.number = 0

    def learn(self, number: int) -> None:
        self.number, self.version = number, self.version + 1

    def tag(self, batch: RecordBatch) -> RecordBatch:
        numbers = pa.array([self.number] * batch.data.num_rows, pa.uint32())
        return RecordBatch(batch.table, batch.data.append_column("auto_instance_id_0", numbers), batch.batch_id)


class Storage:
    """Notes what it is asked to tag again, and what taggers say then."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.said: list[int] = []
        self.refuse = 0
        self.stored = 0

    async def write(self, batch: RecordBatch) -> None:
        self.stored += batch.data.num_rows

    async def retag(self, table: str, start_s: int, end_s: int, tags: Tags) -> int:
        if self.refuse:
            self.refuse -= 1
            raise StorageError("the disk is full")
        self.asked.append((table, start_s, end_s))
        told = await tags(RecordBatch(table, pa.record_batch({"ip4_0": pa.array([1], pa.uint32())})))
        self.said += told.data.column("auto_instance_id_0").to_pylist()
        return 1


def rows(*seconds: int, owner: int = 0) -> RecordBatch:
    columns = {
        "time": pa.array(seconds, pa.timestamp("s", "UTC")),
        "ip4_0": pa.array([1] * len(seconds), pa.uint32()),
        "auto_instance_id_0": pa.array([owner] * len(seconds), pa.uint32()),
    }
    return RecordBatch(LOG, pa.record_batch(columns), f"{seconds}")


class Running:
    """A pipeline with these parts."""

    def __init__(self, *batches: RecordBatch) -> None:
        self.tagger, self.storage = Tagger(), Storage()

        @hookimpl
        def metaflow_taggers() -> list[TaggerFactory]:
            return [TaggerFactory(type="learner", config=Config, create=lambda context, config: self.tagger)]  # type: ignore[return-value, arg-type]

        @hookimpl
        def metaflow_storages() -> list[StorageFactory]:
            return [StorageFactory(type="keeper", config=Config, create=lambda context, config: self.storage)]  # type: ignore[return-value, arg-type]

        script = Script()
        script.emit_records, script.blocks, script.live = list(batches), 0, {"receiver"}
        own = SimpleNamespace(metaflow_taggers=metaflow_taggers, metaflow_storages=metaflow_storages)
        config = {"pipelines": {"p": {"collectors": ["receiver"], "taggers": ["learner"], "storages": ["keeper"]}}}
        self.app = App(config, plugins=[plugin(script), own], policy=FAST)

    async def until(self, test: Any) -> None:
        async with asyncio.timeout(20):
            while not test():
                await asyncio.sleep(0.01)


async def test_stored_rows_are_tagged_again_when_something_was_learnt() -> None:
    run = Running(rows(100, 105), rows(400))
    async with run.app:
        await run.until(lambda: run.storage.stored == 3 and len(run.storage.said) >= 2)
        run.storage.said.clear()
        run.storage.asked.clear()
        run.tagger.learn(7)
        await run.until(lambda: run.storage.said == [7, 7])
        # Twice, for rows that were on their way; then not again until more is learnt.
        await asyncio.sleep(0.2)
        assert run.storage.said == [7, 7]
        assert set(run.storage.asked) == {(LOG, 100, 402)}


async def test_rows_with_owners_are_left_alone() -> None:
    run = Running(rows(100, owner=5))
    # This tagger overwrites; what counts is what reached the storage.
    run.tagger.tag = lambda batch: batch  # type: ignore[method-assign]
    async with run.app:
        await run.until(lambda: run.storage.stored == 1)
        run.tagger.learn(7)
        await asyncio.sleep(0.2)
        assert run.storage.asked == []


async def test_a_storage_that_refuses_is_asked_again() -> None:
    run = Running(rows(100))
    async with run.app:
        await run.until(lambda: run.storage.stored == 1 and len(run.storage.said) >= 2)
        run.storage.said.clear()
        run.storage.refuse = 1
        run.tagger.learn(9)
        await run.until(lambda: 9 in run.storage.said)


async def test_what_reaches_no_stored_row_makes_nobody_look() -> None:
    run = Running(rows(100))
    run.tagger.reaching = 0  # type: ignore[attr-defined]
    async with run.app:
        await run.until(lambda: run.storage.stored == 1 and len(run.storage.said) >= 2)
        run.storage.asked.clear()
        run.tagger.learn(7)
        await asyncio.sleep(0.2)
        assert run.storage.asked == []
        run.tagger.reaching = 1  # type: ignore[attr-defined]
        await run.until(lambda: run.storage.asked)
