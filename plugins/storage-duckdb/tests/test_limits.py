"""Questions are stopped at their limits, and what is odd in rows survives."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.storage import DuckdbStorage

from metaflow_core.api import Counters, RecordBatch
from metaflow_core.errors import QueryError, StorageError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Arithmetic, Call, Literal, Ref
from metaflow_core.query import Aggregate, Fold, Named, Plan, Project, Scan, Sort, SortKey

CATALOG = load_catalog()
TABLE = "flow_log.l7_message"
COUNT = Aggregate(Scan(TABLE), (), (Fold("n", "count"),))


def batch(first: int, rows: int, batch_id: str = "", **columns: Any) -> RecordBatch:
    data = {
        "flow_id": pa.array(range(first, first + rows), pa.uint64()),
        "time_ns": pa.array([10**18] * rows, pa.int64()),
        **columns,
    }
    return RecordBatch(TABLE, pa.RecordBatch.from_pydict(data), batch_id)


def opened(**options: Any) -> DuckdbStorage:
    storage = DuckdbStorage(CATALOG, DuckdbConfig.model_validate({"path": ":memory:", **options}), Counters("t"))
    storage.open()
    return storage


@pytest.fixture
def many() -> Iterator[DuckdbStorage]:
    """Many rows and little time."""
    storage = opened(max_query_s=0.3)
    storage.add(batch(0, 100_000))
    yield storage
    storage.close()


def long() -> Plan:
    """Grouping by texts, again and again: far more than a moment."""
    key = Call("concat", (Call("to_text", (Ref("flow_id"),)), Literal("x" * 40)))
    folds = tuple(Fold(f"t{i}", "topk", Call("concat", (key, Literal(str(i)))), (3,)) for i in range(60))
    return Aggregate(Scan(TABLE), (), folds)


def test_time(many: DuckdbStorage) -> None:
    with pytest.raises(QueryError, match=r"took longer than 0\.3 s and was stopped; narrow the range of time"):
        many.query(long())
    assert many.query(COUNT).to_pylist() == [{"n": 100_000}]


async def test_who_stops_waiting_stops_the_question() -> None:
    storage = opened(max_query_s=600)
    storage.add(batch(0, 100_000))
    before = threading.active_count()
    task = asyncio.create_task(storage.execute(long()))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The worker thread comes back: stop does not wait for the minutes that it would take.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert threading.active_count() <= before
    storage.close()


def test_rows() -> None:
    storage = opened(max_result_rows=10)
    storage.add(batch(0, 10))
    assert storage.query(Scan(TABLE, ("flow_id",))).num_rows == 10
    storage.add(batch(10, 1))
    with pytest.raises(
        QueryError, match="the answer has more than 10 rows; add a limit, group the rows or raise max_result_rows"
    ):
        storage.query(Scan(TABLE, ("flow_id",)))
    assert storage.query(COUNT).to_pylist() == [{"n": 11}]
    storage.close()


def test_memory() -> None:
    storage = opened(max_memory_bytes=64 << 20, max_temp_bytes=0, threads=1)
    for first in range(0, 400_000, 100_000):
        storage.add(batch(first, 100_000))
    text = Call("concat", tuple([Call("to_text", (Arithmetic("*", Ref("flow_id"), Literal(1000003)),))] * 40))
    plan = Sort(Aggregate(Scan(TABLE), (Named("k", text),), (Fold("n", "count"),)), (SortKey("k"),))
    with pytest.raises(QueryError, match="takes more memory than the storage may use; narrow the range of time"):
        storage.query(plan)
    assert storage.query(COUNT).to_pylist() == [{"n": 400_000}]
    storage.close()


def test_numbers_too_large_are_told() -> None:
    storage = opened()
    storage.add(batch(2**63 - 2, 1))
    with pytest.raises(QueryError, match="beyond whole numbers of 64 bits"):
        storage.query(Project(Scan(TABLE), (Named("x", Arithmetic("*", Ref("flow_id"), Literal(4))),)))
    with pytest.raises(QueryError, match="beyond whole numbers of 64 bits"):
        storage.query(Project(Scan(TABLE), (Named("x", Arithmetic("+", Ref("flow_id"), Literal(2**70))),)))
    storage.close()


def test_the_bits_of_what_is_no_number_survive(tmp_path: Path) -> None:
    """A stale marker of Prometheus is a NaN that differs from others in its bits."""
    patterns = [0x7FF0000000000002, 0x7FF8000000000001, 0x7FF0000000000000, 0x8000000000000000, 0x3FF0000000000000]
    values = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in patterns] * 5_000
    storage = opened(path=str(tmp_path / "s.duckdb"))
    raw = pa.Array.from_buffers(
        pa.float64(), len(values), [None, pa.py_buffer(struct.pack(f"<{len(values)}Q", *(patterns * 5_000)))]
    )
    times = pa.array(range(len(values)), pa.int64())
    data = pa.RecordBatch.from_pydict({"timestamp": times, "metric_name": ["up"] * len(values), "value": raw})
    storage.add(RecordBatch("prometheus.samples", data))
    storage.close()
    storage.open()
    found = storage.query(Scan("prometheus.samples", ("value",))).column("value").combine_chunks()
    bits = pa.Array.from_buffers(pa.uint64(), len(found), found.buffers())
    assert bits.to_pylist() == patterns * 5_000
    storage.close()


def test_readers_and_a_writer_at_once(tmp_path: Path) -> None:
    storage = opened(path=str(tmp_path / "w.duckdb"))
    seen: list[int] = []
    wrong: list[BaseException] = []

    def read() -> None:
        try:
            seen.extend(storage.query(COUNT).column("n")[0].as_py() for _ in range(20))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        storage.add(batch(number * 1000, 1000, f"b/{number}"))
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(count % 1000 == 0 for count in seen), "a reader saw half a batch"
    assert storage.query(COUNT).to_pylist() == [{"n": 20_000}]
    storage.close()


def test_old_batch_ids_are_forgotten_in_bulk_and_young_ones_are_not() -> None:
    storage = opened(remembered_batches=1000)
    for number in range(1500):
        storage.add(RecordBatch(TABLE, batch(number, 1).data.slice(0, 0), f"b/{number}"))
    storage.add(batch(0, 1, "b/1499"))
    storage.add(batch(0, 1, "b/600"))
    assert storage.query(COUNT).to_pylist() == [{"n": 0}]
    storage.add(batch(0, 1, "b/1"))
    assert storage.query(COUNT).to_pylist() == [{"n": 1}]
    storage.close()


def test_a_batch_that_does_not_fit_is_refused_and_its_id_is_free() -> None:
    storage = opened()
    wrong = pa.RecordBatch.from_pydict({"flow_idd": [1]})
    with pytest.raises(StorageError, match="flow_idd"):
        storage.add(RecordBatch(TABLE, wrong, "b/1"))
    storage.add(batch(0, 3, "b/1"))
    assert storage.query(COUNT).to_pylist() == [{"n": 3}]
    storage.close()


def test_columns_that_the_catalogue_gained_are_added(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    storage = opened(path=str(path))
    storage.add(batch(0, 2))
    storage.close()
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(f'ALTER TABLE "{TABLE}" DROP COLUMN request_resource')
    storage = opened(path=str(path))
    plan = Scan(TABLE, ("flow_id", "request_resource"))
    assert storage.query(plan).column("request_resource").to_pylist() == ["", ""]
    storage.add(batch(2, 1, request_resource=["x"]))
    assert storage.query(plan).column("request_resource").to_pylist() == ["", "", "x"]
    storage.close()


async def test_health_tells_rows_and_bytes(tmp_path: Path) -> None:
    storage = opened(path=str(tmp_path / "h.duckdb"))
    storage.add(batch(0, 2))
    health = await storage.health()
    assert health["state"] == "ok"
    assert health["tables"] == {TABLE: {"rows": 2}}
    assert health["bytes"] + health["log_bytes"] > 0
    storage.close()
    assert (await storage.health())["state"] == "failed"


def test_names_are_kept_in_the_file(tmp_path: Path) -> None:
    storage = opened(path=str(tmp_path / "n.duckdb"))
    storage.learn("pod", {7: "web", 8: "db"})
    storage.learn("pod", {8: "cache"})
    storage.close()
    storage.open()
    with storage._database.cursor() as cursor:
        assert cursor.execute('SELECT id, name FROM "metaflow.names" ORDER BY id').fetchall() == [
            (7, "web"),
            (8, "cache"),
        ]
    storage.close()
