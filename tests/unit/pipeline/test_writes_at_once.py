"""A storage that says so gets several batches at once; each is acknowledged for itself, and faults lose none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from metaflow_core.api import BuildContext, Collector, CollectorFactory, Config, Emit, RecordBatch, StorageFactory
from metaflow_core.errors import StorageError
from metaflow_core.hooks import hookimpl
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import batch

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02)


class Store:
    """Notes how many writes are under way together."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.written: list[str] = []
        self.wrong: dict[str, list[Exception]] = {}

    async def write(self, each: RecordBatch) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.005)
            if self.wrong.get(each.batch_id):
                raise self.wrong[each.batch_id].pop()
            if each.batch_id not in self.written:
                self.written.append(each.batch_id)
        finally:
            self.now -= 1


class Source:
    """Emits batches, all at once, and writes down what was acknowledged."""

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.acknowledged: list[str] = []

    async def run(self, emit: Emit) -> None:
        async def hand(each: RecordBatch) -> None:
            await emit(each)
            self.acknowledged.append(each.batch_id)

        await asyncio.gather(*(hand(batch(2, f"b{number}", number * 2)) for number in range(self.batches)))

    def resources(self) -> Iterable[object]:
        return ()


def app_of(store: Store, source: Source, at_once: int, max_bytes: int | None = None) -> App:
    class Plugin:
        @hookimpl
        def metaflow_storages(self) -> Iterable[StorageFactory]:
            def create(context: BuildContext, config: Config) -> Store:
                return store

            return [StorageFactory(type="wide", create=create, writes_at_once=at_once, summary="x")]  # type: ignore[arg-type]

        @hookimpl
        def metaflow_collectors(self) -> Iterable[CollectorFactory]:
            def create(context: BuildContext, config: Config) -> Collector:
                return source  # type: ignore[return-value]

            return [CollectorFactory(type="source", create=create, emits=frozenset({"records"}), summary="x")]

    line: dict[str, object] = {"collectors": ["source"], "storages": ["wide"]}
    if max_bytes is not None:
        line["queue"] = {"max_bytes": max_bytes}
    return App({"pipelines": {"p": line}}, plugins=[Plugin()], policy=FAST)


@pytest.mark.parametrize("at_once", [1, 3])
async def test_as_many_at_once_as_the_storage_says(at_once: int) -> None:
    store, source = Store(), Source(20)
    await app_of(store, source, at_once).run_until_complete()
    assert store.most == at_once
    assert sorted(store.written) == sorted(source.acknowledged) == sorted(f"b{number}" for number in range(20))


async def test_bytes_bound_it_too() -> None:
    store, source = Store(), Source(20)
    await app_of(store, source, 16, max_bytes=65_536).run_until_complete()
    small = store.most
    assert small > 1
    assert len(store.written) == 20


async def test_refusals_and_faults_concern_their_batch() -> None:
    store, source = Store(), Source(20)
    store.wrong = {"b3": [StorageError("full"), StorageError("full")], "b5": [RuntimeError("a defect")]}
    stats = await app_of(store, source, 8).run_until_complete()
    assert sorted(store.written) == sorted(source.acknowledged) == sorted(f"b{number}" for number in range(20))
    assert sum(each.value for each in stats if each.stage == "retries") == 2
    assert sum(each.value for each in stats if each.stage == "faults") == 1


async def test_a_stop_waits_for_what_is_under_way() -> None:
    store, source = Store(), Source(20)
    async with app_of(store, source, 8):
        for _ in range(500):
            if store.now:
                break
            await asyncio.sleep(0.001)
    assert store.now == 0
    assert set(source.acknowledged) <= set(store.written)
