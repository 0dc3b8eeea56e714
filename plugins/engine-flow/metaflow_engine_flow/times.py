"""Gives the engine's integer times their Arrow types, without copying them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.model.catalog import Table


_SECOND = (1_000_000_000).to_bytes(8, "little")


def with_times(rows: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    """The rows with every ``*_ns`` column as a timestamp, and with ``time`` (seconds) where the catalogue derives it.

    The catalogue would do the same, but rounding timestamps takes ten times as long as dividing integers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = list(rows.schema.names)
    columns = list(rows.columns)
    source = (
        next((name for name in table.column("time").sources if name in names), None) if "time" not in names else None
    )
    if source is not None:
        # Made of bytes: from an int of Python's pyarrow would import pandas first, a second of start-up.
        second = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(_SECOND)])[0]
        seconds = pc.divide(rows.column(source).view(pa.int64()), second)
        names.append("time")
        columns.append(seconds.view(pa.timestamp("s", "UTC")))
    for index, name in enumerate(names):
        if name.endswith("_ns"):
            columns[index] = columns[index].view(pa.timestamp("ns", "UTC"))
        elif name == "time" and pa.types.is_integer(columns[index].type):
            columns[index] = columns[index].cast(pa.int64()).view(pa.timestamp("s", "UTC"))
    return pa.RecordBatch.from_arrays(columns, names=names)
