"""Rows on their way through a plan: whole columns, each one contiguous array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Column, Table
from metaflow_core.model.catalog.conform import filler

__all__ = ["Frame", "plain", "whole"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of equal length.

    :ivar rows: number of rows, also where there are no columns.
    :ivar arrays: the columns, in order. :ivar columns: the catalogue's column behind a name, where it is one.
    """

    rows: int
    arrays: Mapping[str, pa.Array]
    columns: Mapping[str, Column] = field(default_factory=dict)

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch, table: Table) -> Frame:
        """A stored batch of a table. Columns of the table that the batch lacks are missing or zero, as the catalogue says."""
        sent = dict(zip(batch.schema.names, batch.columns, strict=True))
        known = {column.name: column for column in table.columns}
        absent = {name: filler(column, batch.num_rows) for name, column in known.items() if name not in sent}
        return cls(batch.num_rows, {**sent, **absent}, known)

    def take(self, indices: pa.Array) -> Frame:
        """Some rows, in the order of ``indices``; a missing index gives a row of missing values."""
        return Frame(len(indices), {name: array.take(indices) for name, array in self.arrays.items()}, self.columns)

    def filter(self, mask: pa.Array) -> Frame:
        """The rows for which the mask is true."""
        kept = {name: array.filter(mask, null_selection_behavior="drop") for name, array in self.arrays.items()}
        rows = len(next(iter(kept.values()))) if kept else mask.true_count
        return Frame(rows, kept, self.columns)

    def slice(self, offset: int, count: int) -> Frame:
        """``count`` rows after passing over ``offset``."""
        rows = max(0, min(count, self.rows - offset))
        return Frame(rows, {name: array.slice(offset, count) for name, array in self.arrays.items()}, self.columns)

    def to_table(self) -> pa.Table:
        """As an Arrow table; columns of the catalogue carry its metadata."""
        fields = [
            pa.field(name, array.type, metadata=_metadata(self.columns.get(name)))
            for name, array in self.arrays.items()
        ]
        return pa.Table.from_arrays(list(self.arrays.values()), schema=pa.schema(fields))


def _metadata(column: Column | None) -> dict[str, str] | None:
    if column is None:
        return None
    values = {"type": column.type, "kind": column.kind, "unit": column.unit, "enum": column.enum}
    return {key: value for key, value in values.items() if value}


def plain(array: pa.Array) -> pa.Array:
    """The array without a dictionary."""
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def whole(table: pa.Table, columns: Mapping[str, Column]) -> Frame:
    """A table as a frame.

    :raises QueryError: a column is too large for one piece.
    """
    arrays: dict[str, pa.Array] = {}
    table = table.unify_dictionaries()
    for name in table.column_names:
        column = table.column(name)
        try:
            arrays[name] = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
        except pa.ArrowInvalid as error:
            raise QueryError(
                f"the texts in {name!r} are more than 2 GiB, too much to group or sort in memory; narrow the range of time"
            ) from error
    return Frame(table.num_rows, arrays, columns)
