"""The memory storage keeps the contract of storages, its bounds, and is found as a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_memory.config import MemoryConfig
from metaflow_storage_memory.plugin import metaflow_storages
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import Counters, Kind, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.conform import conform
from metaflow_core.query import Scan, TimeRange
from metaflow_core.testing import LateTagsContract, NamesContract, StorageContract, build_context

CATALOG = load_catalog()
TABLE = CATALOG.table("l7_message")


class TestContract(LateTagsContract, NamesContract, StorageContract):
    """What every storage must do."""

    factory = next(iter(metaflow_storages()))


def batch(first: int, rows: int, batch_id: str = "") -> RecordBatch:
    data = pa.RecordBatch.from_pydict(
        {
            "flow_id": pa.array(range(first, first + rows), pa.uint64()),
            "time_ns": pa.array([10**18] * rows, pa.uint64()),
            "request_resource": ["x" * 100] * rows,
        }
    )
    return RecordBatch("flow_log.l7_message", data, batch_id)


def ids(storage: MemoryStorage) -> list[int]:
    return storage.query(Scan("l7_message")).column("flow_id").to_pylist()  # type: ignore[no-any-return]


def counted(counters: Counters) -> dict[tuple[str, str], int]:
    return {(sample.stage, sample.reason): sample.value for sample in counters.samples()}


def test_the_oldest_rows_go_first_and_are_counted() -> None:
    counters = Counters("m")
    storage = MemoryStorage(CATALOG, counters, max_rows=10)
    for first in (0, 4, 8):
        storage.add(batch(first, 4))
    assert ids(storage) == [4, 5, 6, 7, 8, 9, 10, 11]
    assert counted(counters) == {("stored", ""): 12, ("dropped", "memory_full"): 4}


def test_a_batch_larger_than_the_bound_keeps_its_last_rows() -> None:
    counters = Counters("m")
    storage = MemoryStorage(CATALOG, counters, max_rows=10)
    storage.add(batch(0, 25))
    assert ids(storage) == list(range(15, 25))
    assert counted(counters)["dropped", "memory_full"] == 15


@pytest.mark.parametrize("rows", [1, 50, 400])
def test_bytes_are_bounded_whatever_comes(rows: int) -> None:
    bound = 20_000
    counters = Counters("m")
    storage = MemoryStorage(CATALOG, counters, max_bytes=bound)
    for first in range(0, 10 * rows, rows):
        storage.add(batch(first, rows))
        assert sum(size["bytes"] for size in storage._store.sizes().values()) <= bound
    kept = ids(storage)
    assert kept == list(range(10 * rows - len(kept), 10 * rows))
    assert counted(counters).get(("dropped", "memory_full"), 0) == 10 * rows - len(kept)


def test_the_bound_is_over_all_tables() -> None:
    storage = MemoryStorage(CATALOG, max_rows=5)
    storage.add(batch(0, 3))
    other = pa.RecordBatch.from_pydict({"time_ns": pa.array([1] * 4), "flow_id": pa.array([1] * 4)})
    storage.add(RecordBatch("flow_log.explain", other))
    assert ids(storage) == []
    assert storage.query(Scan("explain")).num_rows == 4


def test_a_batch_that_does_not_fit_is_refused_with_a_sentence() -> None:
    wrong = RecordBatch("flow_log.l7_message", pa.RecordBatch.from_pydict({"flow_idd": [1]}))
    with pytest.raises(StorageError, match="flow_idd"):
        MemoryStorage(CATALOG).add(wrong)


def test_a_repeated_batch_is_counted() -> None:
    counters = Counters("m")
    storage = MemoryStorage(CATALOG, counters)
    storage.add(batch(0, 3, "a"))
    storage.add(batch(0, 3, "a"))
    assert ids(storage) == [0, 1, 2]
    assert counted(counters) == {("stored", ""): 3, ("received", "duplicate_batch"): 3}


def test_the_factory_builds_one_from_its_options() -> None:
    factory = next(iter(metaflow_storages()))
    assert factory.roles == {"write", "read"}
    storage = factory.create(build_context(Kind.STORAGE, "memory"), MemoryConfig(max_rows=2))
    assert isinstance(storage, MemoryStorage)


def test_batches_with_different_dictionaries_are_one_table() -> None:
    storage = MemoryStorage(CATALOG)
    for value in ("a", "b", "a"):
        data = conform(
            pa.RecordBatch.from_pydict(
                {"time_ns": pa.array([1]), "flow_id": pa.array([1]), "endpoint": pa.array([value]).dictionary_encode()}
            ),
            TABLE,
        )
        storage.add(RecordBatch(TABLE.name, data))
    assert storage.query(Scan("l7_message", ("endpoint",))).column("endpoint").to_pylist() == ["a", "b", "a"]


def test_columns_that_nobody_sent_are_not_kept_but_read_as_zero_or_missing() -> None:
    storage = MemoryStorage(CATALOG)
    storage.add(RecordBatch("flow_log.l7_flow_log", pa.RecordBatch.from_pydict({"flow_id": pa.array([1, 2])})))
    assert storage._store.batches("flow_log.l7_flow_log")[0].schema.names == ["flow_id"]
    columns = ("endpoint", "response_code", "ip6_0", "attribute_names")
    rows = storage.query(Scan("l7_flow_log", columns, TimeRange(0, 1))).to_pylist()
    assert rows == [{"endpoint": "", "response_code": None, "ip6_0": bytes(16), "attribute_names": []}] * 2
    assert storage.query(Scan("l7_flow_log", columns, TimeRange(1, 2))).num_rows == 0


class TestUnboundedContract(StorageContract):
    """The same without any bound."""

    factory = next(iter(metaflow_storages()))
    options: Mapping[str, Any] = {"max_bytes": None}
