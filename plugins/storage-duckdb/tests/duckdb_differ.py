"""Asks the DuckDB storage and the memory storage the same, on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.storage import DuckdbStorage
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import Plan, prepare
from metaflow_core.testing import plain_rows

CATALOG = load_catalog()


class Both:
    """Two storages with the same rows in the same batches."""

    def __init__(self) -> None:
        self.duckdb = DuckdbStorage(CATALOG, DuckdbConfig(path=":memory:", threads=2))
        self.duckdb.open()
        self.memory = MemoryStorage(CATALOG)

    def add(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        table = CATALOG.table(name)
        arrays = {}
        for key in rows[0]:
            column = table.column(key)
            type_ = pa.int64() if column.type.startswith("time") else arrow_type(column.type)
            arrays[key] = pa.array([row[key] for row in rows], type_)
        batch = RecordBatch(table.name, pa.RecordBatch.from_pydict(arrays))
        self.duckdb.add(batch)
        self.memory.add(batch)

    def learn(self, dictionary: str, names: dict[int, str]) -> None:
        self.duckdb.learn(dictionary, names)
        self.memory.learn(dictionary, names)

    def close(self) -> None:
        self.duckdb.close()


def answer(storage: Any, plan: Plan) -> pa.Table | None:
    """None where a number is beyond 64 bits: a storage refuses that, or wraps around."""
    try:
        return storage.query(plan)
    except QueryError as error:
        if "64 bits" not in str(error):
            raise
        return None


def same(left: Any, right: Any) -> bool:
    """Equal, or as near as sums in another order are."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool | int | float) and isinstance(right, bool | int | float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-6) or (math.isnan(left) and math.isnan(right))
    return type(left) is type(right) and left == right


def assert_same(both: Both, plan: Plan) -> None:
    try:
        prepare(plan, CATALOG)
    except QuerySyntaxError:
        return  # no storage is ever asked this
    expected = answer(both.memory, plan)
    found = answer(both.duckdb, plan)
    if expected is None or found is None:
        return
    assert found.column_names == expected.column_names
    left, right = plain_rows(found), plain_rows(expected)
    assert len(left) == len(right), (left, right)
    for one, other in zip(left, right, strict=True):
        for name in one:
            assert same(one[name], other[name]), (name, one, other, both.duckdb.explain(plan))
