"""What ClickHouse sends as the columns that a plan promises."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_storage_clickhouse.sql.typed import Typed

__all__ = ["as_table"]

_UNITS = {"time_s": "s", "time_us": "us", "time_ns": "ns"}


def as_table(sent: pa.Table, columns: Mapping[str, Typed]) -> pa.Table:
    """The columns under their names, in the types of the catalogue.

    :param sent: by position; without any column where there was no row.
    """
    if not sent.num_columns:
        arrays = [pa.chunked_array([], _type(typed)) for typed in columns.values()]
    else:
        arrays = [_fit(sent.column(at), typed) for at, typed in enumerate(columns.values())]
    fields = [
        pa.field(name, array.type, metadata=_metadata(typed))
        for (name, typed), array in zip(columns.items(), arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _type(typed: Typed) -> pa.DataType:
    if typed.type == "null":
        return pa.null()
    if typed.type == "list":
        return pa.list_(pa.null())
    # A computed text has no dictionary.
    return pa.utf8() if typed.type == "lowcard" and typed.column is None else arrow_type(typed.type)


def _fit(array: pa.ChunkedArray, typed: Typed) -> pa.ChunkedArray:
    wanted = _type(typed)
    if typed.family == "list" and typed.nullable:
        empty = pc.equal(pc.list_value_length(array), 0)
        array = pc.if_else(empty, pa.scalar(None, array.type), array)
    if typed.type in ("null", "list") or array.type == wanted:
        return array
    if typed.type in _UNITS:
        return array.cast(pa.int64()).cast(wanted) if pa.types.is_integer(array.type) else array.cast(wanted)
    if typed.type == "bool":
        return pc.not_equal(array, 0) if pa.types.is_integer(array.type) else array.cast(wanted)
    if typed.type == "lowcard":
        if pa.types.is_dictionary(wanted):
            array = array if pa.types.is_dictionary(array.type) else array.cast(pa.utf8()).dictionary_encode()
            return array.cast(wanted)
        return (
            array.cast(array.type.value_type).cast(wanted) if pa.types.is_dictionary(array.type) else array.cast(wanted)
        )
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    try:
        return array.cast(wanted)
    except pa.ArrowInvalid:
        # A rollup holds sums that are wider than the column that they sum.
        return array


def _metadata(typed: Typed) -> dict[str, str] | None:
    column = typed.column
    if column is None:
        return None
    values = {"type": column.type, "kind": column.kind, "unit": column.unit, "enum": column.enum}
    return {key: value for key, value in values.items() if value}
