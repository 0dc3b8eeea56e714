"""Makes a batch that a producer sent into exactly the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflow_core.errors import ParseError
from metaflow_core.model.catalog.arrow import arrow_schema, arrow_type
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.model.catalog.values import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["conform", "filler"]

_UNITS = {"time_s": "s", "time_us": "us", "time_ns": "ns"}


def conform(batch: pa.RecordBatch, table: Table, *, fill: bool = True) -> pa.RecordBatch:
    """The batch with the columns of ``table``, in its order and types.

    A column that is there is cast; numbers without a time type are times in the unit of the column's type. A column that is
    absent is taken from one of its ``sources`` (whose ending ``_ns`` or ``_us`` tells the unit), else it is null or zero as the
    catalogue says. Missing values in a column that cannot be null become zero. Columns that are right already are not copied.

    :param fill: False leaves absent columns out; whoever reads the batch then uses :func:`filler`. Half of the bytes of a wide
        table are such columns.
    :raises ParseError: a column is unknown, one that must be there is absent, or a value does not fit its type.
    """
    import pyarrow as pa

    rows = batch.num_rows
    sent = {name: batch.column(index) for index, name in enumerate(batch.schema.names)}
    known = {name for column in table.columns for name in (column.name, *column.sources)}
    surplus = next((name for name in sent if name not in known), None)
    if surplus is not None:
        near = suggestion(surplus, (column.name for column in table.columns))
        raise ParseError(f"a batch for {table.name} has a column {surplus!r} that the catalogue does not know{near}")
    arrays: list[pa.Array] = []
    present: list[str] = []
    for column in table.columns:
        name = column.name if column.name in sent else next((s for s in column.sources if s in sent), None)
        if name is None:
            if column.absent == "must" and rows:
                raise ParseError(
                    f"a batch for {table.name} lacks the column {column.name!r}, which every row must have"
                )
            if fill:
                arrays.append(filler(column, rows))
                present.append(column.name)
            continue
        arrays.append(_fit(sent[name], name, column, table))
        present.append(column.name)
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(table, present))


def _fit(array: pa.Array, name: str, column: Column, table: Table) -> pa.Array:
    import pyarrow as pa

    try:
        array = _cast(array, name, column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise ParseError(
            f"a batch for {table.name}: the column {name!r} of type {array.type} does not fit {column.type}: {reason}"
        ) from error
    if array.null_count and column.absent != "null":
        if column.absent == "must":
            raise ParseError(
                f"a batch for {table.name} has {array.null_count} rows without {column.name!r}, which every row must have"
            )
        array = _fill(array, column)
    return array


def _cast(array: pa.Array, name: str, column: Column) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    target = arrow_type(column.type)
    if array.type == target:
        return array
    if column.type in _UNITS:
        if pa.types.is_integer(array.type):
            unit = name[-2:] if name.endswith(("_ns", "_us")) and name != column.name else _UNITS[column.type]
            array = array.cast(pa.int64()).cast(pa.timestamp(unit, "UTC"))
        # Towards the past, so that a row never falls into a bucket after its own time.
        return (
            pc.floor_temporal(array, unit="second").cast(target)
            if column.type == "time_s" and array.type != target
            else (array.cast(target, safe=False))
        )
    if column.type == "lowcard":
        if pa.types.is_dictionary(array.type):
            return array.cast(target)
        return array.cast(pa.utf8()).dictionary_encode()
    if pa.types.is_dictionary(array.type):
        return array.cast(array.type.value_type).cast(target)
    return array.cast(target)


def _zero(column: Column) -> Any:
    family = {"string": "", "json": "", "lowcard": "", "binary": b"", "ip6": bytes(16), "bool": False, "f64": 0.0}
    return [] if column.type.startswith("list_") else family.get(column.type, 0)


def filler(column: Column, rows: int) -> pa.Array:
    """What an absent column holds: missing values or zeros, as the catalogue says."""
    import pyarrow as pa

    target = arrow_type(column.type)
    if column.absent == "null":
        return pa.nulls(rows, target)
    if column.type == "lowcard":
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([""]))
    if column.type.startswith("list_"):
        offsets = pa.repeat(pa.scalar(0, pa.int32()), rows + 1)
        return pa.ListArray.from_arrays(offsets, pa.nulls(0, target.value_type)).cast(target)
    return pa.repeat(pa.scalar(_zero(column), target), rows)


def _fill(array: pa.Array, column: Column) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == "lowcard":
        return array.cast(pa.utf8()).fill_null("").dictionary_encode()
    if column.type.startswith("list_"):
        return pc.if_else(pc.is_valid(array), array, pa.scalar([], array.type))
    return array.fill_null(pa.scalar(_zero(column), array.type))
