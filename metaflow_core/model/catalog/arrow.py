"""The catalogue's tables as Arrow schemas. pyarrow is imported when a schema is first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from metaflow_core.model.catalog.values import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_field", "arrow_schema", "arrow_type"]


@cache
def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a catalogue type.

    ``lowcard`` is a dictionary of texts with 32-bit indices, so that names cross the pipeline once per batch.

    :raises KeyError: there is no such type.
    """
    import pyarrow as pa

    # One function call a type: a table of instances would have to import pyarrow with the module.
    return {
        "u8": pa.uint8,
        "u16": pa.uint16,
        "u32": pa.uint32,
        "u64": pa.uint64,
        "i8": pa.int8,
        "i16": pa.int16,
        "i32": pa.int32,
        "i64": pa.int64,
        "f64": pa.float64,
        "bool": pa.bool_,
        "string": pa.utf8,
        "json": pa.utf8,
        "lowcard": lambda: pa.dictionary(pa.int32(), pa.utf8()),
        "ip4": pa.uint32,
        "ip6": lambda: pa.binary(16),
        "mac": pa.uint64,
        "time_s": lambda: pa.timestamp("s", "UTC"),
        "time_us": lambda: pa.timestamp("us", "UTC"),
        "time_ns": lambda: pa.timestamp("ns", "UTC"),
        "list_string": lambda: pa.list_(pa.utf8()),
        "list_f64": lambda: pa.list_(pa.float64()),
        "list_u32": lambda: pa.list_(pa.uint32()),
        "list_i64": lambda: pa.list_(pa.int64()),
        "binary": pa.binary,
    }[name]()


@lru_cache(maxsize=4096)
def arrow_field(column: Column) -> pa.Field:
    """One column as an Arrow field; type, kind, unit and enumeration stand in its metadata."""
    import pyarrow as pa

    metadata = {"type": column.type, "kind": column.kind, "unit": column.unit, "enum": column.enum}
    return pa.field(
        column.name,
        arrow_type(column.type),
        nullable=column.absent == "null",
        metadata={key: value for key, value in metadata.items() if value},
    )


def arrow_schema(table: Table, columns: Iterable[str] | None = None) -> pa.Schema:
    """The Arrow schema of a table, or of some of its columns in the order given.

    :raises QueryError: the table has no such column.
    """
    import pyarrow as pa

    wanted = table.columns if columns is None else [table.column(name) for name in columns]
    return pa.schema([arrow_field(column) for column in wanted], metadata={"table": table.name})
