"""Rows of one table while they are gathered: a list a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

__all__ = ["Rows"]

# Columns whose type the values alone do not tell.
_TYPES = {
    "attribute_names": pa.list_(pa.utf8()),
    "attribute_values": pa.list_(pa.utf8()),
    "flow_id": pa.uint64(),
    "timestamp": pa.timestamp("us", "UTC"),
}


class Rows:
    """Columns of a table, grown row by row.

    :param names: the columns, in the order in which :meth:`add` takes their values.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._columns: list[list[Any]] = [[] for _ in self._names]

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, *values: Any) -> None:
        """One row."""
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def batch(self) -> pa.RecordBatch:
        """The rows as a batch; a column in which nothing is known is left out."""
        arrays = {
            name: pa.array(column, _TYPES.get(name)) for name, column in zip(self._names, self._columns, strict=True)
        }
        return pa.RecordBatch.from_pydict({n: a for n, a in arrays.items() if not pa.types.is_null(a.type)})
