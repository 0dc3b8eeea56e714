"""Rows of a batch as plain dictionaries that compare and print well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["plain_rows"]


def plain_rows(data: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries; times are integers in their own unit, since Python's datetime has no nanoseconds."""
    import pyarrow as pa

    columns = {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(data.schema.names, data.columns, strict=True)
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
