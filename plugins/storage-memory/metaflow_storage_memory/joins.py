"""Puts results side by side: full outer joins and semi joins in which missing keys are equal."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog import Column
from metaflow_core.query.columns import Frame, plain, whole

__all__ = ["combine", "semi_join"]


def combine(frames: list[Frame], keys: tuple[str, ...]) -> Frame:
    """Rows of the same key side by side, in the order in which keys first occur: the row numbers are grouped, so that columns of any type can be taken."""
    parts = []
    for index, frame in enumerate(frames):
        columns = {f"k{i}": plain(frame.arrays[key]) for i, key in enumerate(keys)} or {
            "k": pa.nulls(frame.rows, pa.int8())
        }
        rows = pa.array(range(frame.rows), pa.int64())
        empty = pa.nulls(frame.rows, pa.int64())
        parts.append(pa.table({**columns, **{f"r{i}": rows if i == index else empty for i in range(len(frames))}}))
    names = [name for name in parts[0].column_names if name.startswith("k")]
    grouped = (
        pa.concat_tables(parts)
        .group_by(names, use_threads=False)
        .aggregate([(f"r{i}", "max") for i in range(len(frames))])
    )
    joined = whole(grouped, {})
    out = {key: joined.arrays[f"k{i}"] for i, key in enumerate(keys)}
    known: dict[str, Column] = {}
    for index, frame in enumerate(frames):
        taken = frame.take(joined.arrays[f"r{index}_max"])
        out.update((name, array) for name, array in taken.arrays.items() if name not in keys)
        known.update(frame.columns)
    return Frame(joined.rows, out, known)


def semi_join(frame: Frame, other: Frame, keys: tuple[str, ...]) -> Frame:
    """Rows of ``frame`` whose keys occur in ``other``, in their order."""

    def side(part: Frame, rows: pa.Array, present: bool) -> pa.Table:
        columns = {f"k{i}": plain(part.arrays[key]) for i, key in enumerate(keys)}
        return pa.table({**columns, "row": rows, "there": pa.repeat(pa.scalar(int(present)), part.rows)})

    both = pa.concat_tables(
        [
            side(frame, pa.array(range(frame.rows), pa.int64()), present=False),
            side(other, pa.nulls(other.rows, pa.int64()), present=True),
        ],
        promote_options="permissive",
    )
    names = [f"k{i}" for i in range(len(keys))]
    groups = whole(both.group_by(names, use_threads=False).aggregate([("row", "list"), ("there", "max")]), {})
    lists = groups.arrays["row_list"].filter(pc.equal(groups.arrays["there_max"], 1))
    rows = pc.list_flatten(lists).drop_null()
    return frame.take(rows.take(pc.array_sort_indices(rows)))
