"""Tags that came after their rows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog.conform import filler
from metaflow_core.query import Subject, Tags, retold

__all__ = ["retagged"]


async def retagged(
    batch: pa.RecordBatch, subject: Subject, start_s: int, end_s: int, tags: Tags
) -> tuple[pa.RecordBatch, int]:
    """The batch with more tags for one end of the rows between two moments; and how many rows got some.

    :param start_s: and :param end_s: seconds since 1970, the end not included.
    """
    rows = pc.indices_nonzero(_open(batch, subject, start_s, end_s))
    if not len(rows):
        return batch, 0
    found = await retold(subject, batch.take(rows), tags)
    if found is None:
        return batch, 0
    places = rows.take(found.rows)
    mask = _mask(places, batch.num_rows)
    for name in subject.tags:
        column = subject.table.column(name)
        index = batch.schema.get_field_index(name)
        old = batch.column(index) if index >= 0 else filler(column, batch.num_rows)
        new = pc.replace_with_mask(old, mask, found.tags.column(name).cast(old.type))
        batch = (
            batch.set_column(index, batch.schema.field(index), new) if index >= 0 else batch.append_column(name, new)
        )
    return batch, len(places)


def _open(batch: pa.RecordBatch, subject: Subject, start_s: int, end_s: int) -> pa.Array:
    """Which rows something is not known of."""
    index = batch.schema.get_field_index(subject.table.time)
    time = batch.column(index) if index >= 0 else filler(subject.table.column(subject.table.time), batch.num_rows)
    moment, unit = time.cast(pa.int64()), subject.per_second
    within = pc.and_(pc.greater_equal(moment, start_s * unit), pc.less(moment, end_s * unit))
    missing: pa.Array | None = None
    for name in subject.missing:
        index = batch.schema.get_field_index(name)
        if index < 0:
            return within
        zero = pc.equal(batch.column(index), 0)
        missing = zero if missing is None else pc.or_(missing, zero)
    return within if missing is None else pc.and_(within, missing)


def _mask(places: pa.Array, rows: int) -> pa.Array:
    return pc.is_in(pa.array(range(rows), places.type), value_set=places)
