"""Takes numbers off rows that only their agent can explain, and puts on whose they are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog import Table
from metaflow_core.tagging import TAGS
from metaflow_link.wire.knowledge import MADE_OF_NAMES

__all__ = ["numbered", "stripped"]

_AGENT = "agent_id"
_KINDS = {
    "auto_instance_id": "auto_instance_type",
    "auto_service_id": "auto_service_type",
    "l3_device_id": "l3_device_type",
}
_IP = 255


def stripped(data: pa.RecordBatch) -> pa.RecordBatch:
    """The rows without numbers of the agent's book: the server tags them anew by what the agent told of its entries."""
    for index, name in enumerate(data.schema.names):
        kind = _columns().get(name)
        if kind is None or not pa.types.is_integer(data.schema.field(index).type):
            continue
        column = data.column(index)
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        # what is below zero is no number of a name but a word of the catalogue (the Internet)
        own = (values > 0) & (values < MADE_OF_NAMES)
        if not own.any():
            continue
        data = _set(data, name, own, 0)
        if kind and kind in data.schema.names:
            data = _set(data, kind, own, 0 if kind.startswith("l3") else _IP)
    return data


def numbered(data: pa.RecordBatch, table: Table, number: int) -> pa.RecordBatch:
    """The rows with the number of their agent, in tables that have a column for it."""
    if not number or all(column.name != _AGENT for column in table.columns):
        return data
    values = pa.repeat(pa.scalar(number, pa.uint16()), data.num_rows)
    index = data.schema.get_field_index(_AGENT)
    return data.append_column(_AGENT, values) if index < 0 else data.set_column(index, _AGENT, values)


def _set(data: pa.RecordBatch, name: str, rows: np.ndarray, value: int) -> pa.RecordBatch:
    index = data.schema.get_field_index(name)
    field = data.schema.field(index)
    column = pc.if_else(pa.array(rows), pa.scalar(value, field.type), data.column(index))
    return data.set_column(index, field, column)


@cache
def _columns() -> dict[str, str]:
    """Columns that hold numbers of names, with the column that says of which kind."""
    return {
        f"{name}{end}": f"{_KINDS[name]}{end}" if name in _KINDS else ""
        for name in TAGS
        if name.endswith("_id")
        for end in ("", "_0", "_1")
    }
