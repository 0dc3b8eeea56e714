"""What taggers name reaches storages, before the rows that need it, once, and again after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from metaflow_core.api import Config, Names, RecordBatch, StorageFactory, TaggerFactory
from metaflow_core.errors import StorageError
from metaflow_core.hooks import hookimpl
from metaflow_core.pipeline import SupervisionPolicy
from metaflow_core.sdk import App
from tests.unit.pipeline.fakes import Script, batch, plugin

FAST = SupervisionPolicy(first_rest_s=0.001, longest_rest_s=0.01, tick_s=0.02, notify_s=0.02)


class Tagger:
    """Names one more number with each batch."""

    def __init__(self) -> None:
        self.known: list[Names] = []

    def tag(self, batch: RecordBatch) -> RecordBatch:
        self.known.append(Names("pod", {len(self.known) + 1: f"pod-{len(self.known) + 1}"}, 60 * len(self.known)))
        return batch

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        return len(self.known), self.known[after:]


class Storage:
    """Notes what it is told; refuses and breaks when a test says so."""

    def __init__(self, events: list[Any], refuse: list[str]) -> None:
        self.events = events
        self.refuse = refuse

    async def learn(self, dictionary: str, names: dict[int, str], valid_from_s: int | None = None) -> None:
        if "learn" in self.refuse:
            self.refuse.remove("learn")
            raise StorageError("not now")
        self.events.append((dictionary, dict(names), valid_from_s))

    async def write(self, batch: RecordBatch) -> None:
        if "write" in self.refuse:
            self.refuse.remove("write")
            raise RuntimeError("broken")
        self.events.append("rows")


async def told(*refuse: str) -> list[Any]:
    events: list[Any] = []
    left = list(refuse)

    @hookimpl
    def metaflow_taggers() -> list[TaggerFactory]:
        return [TaggerFactory(type="namer", config=Config, create=lambda context, config: Tagger())]  # type: ignore[return-value, arg-type]

    @hookimpl
    def metaflow_storages() -> list[StorageFactory]:
        return [StorageFactory(type="keeper", config=Config, create=lambda context, config: Storage(events, left))]  # type: ignore[return-value, arg-type]

    script = Script()
    script.emit_records = [batch(3), batch(4)]
    own = SimpleNamespace(metaflow_taggers=metaflow_taggers, metaflow_storages=metaflow_storages)
    config = {"pipelines": {"p": {"collectors": ["receiver"], "taggers": ["namer"], "storages": ["keeper"]}}}
    await App(config, plugins=[plugin(script), own], policy=FAST).run_until_complete()
    return events


ONE, TWO = ("pod", {1: "pod-1"}, 0), ("pod", {2: "pod-2"}, 60)


async def test_names_come_before_rows_and_once() -> None:
    events = await told()
    assert [each for each in events if each != "rows"] == [ONE, TWO]
    assert events[0] == ONE
    assert events.count("rows") == 2


async def test_rows_wait_for_names_that_are_refused() -> None:
    events = await told("learn")
    assert events.index(ONE) < events.index("rows")
    assert [each for each in events if each != "rows"] == [ONE, TWO]


async def test_a_new_instance_is_told_everything() -> None:
    events = await told("write")
    assert events.count(ONE) == 2
    assert events.count("rows") == 2
