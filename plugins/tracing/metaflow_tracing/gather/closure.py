"""Everything that hangs together in one stretch of time, found in memory from a few narrow columns.

Asking a storage for the related rows of related rows takes two questions a level of the call tree. One question for the linking columns
of all rows of the time is cheaper, because rows are kept by time; the levels are then walked here, a column at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from metaflow_core.api import Lookup

__all__ = ["closure", "linking_columns"]

_MOST_LEVELS = 200


def linking_columns(lookups: Sequence[Lookup]) -> tuple[str, ...]:
    """Every column that a lookup names."""
    return tuple(dict.fromkeys(name for lookup in lookups for name in (*lookup.have, *lookup.want)))


def closure(
    table: pa.Table, lookups: Sequence[Lookup], seeds: Sequence[dict[str, Any]], most: int
) -> tuple[np.ndarray[Any, Any], bool]:
    """Which rows are related to the seeds, directly or through others.

    :param table: with the linking columns. :param seeds: linking columns of rows that are known. :param most: rows to stop at.
    :returns: a mask over the rows, and whether it is whole.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: table.column(name).combine_chunks() for name in linking_columns(lookups)}
    columns = {
        name: each.dictionary_decode() if pa.types.is_dictionary(each.type) else each for name, each in columns.items()
    }
    found = np.zeros(table.num_rows, bool)
    used: dict[str, set[Any]] = {name: set() for name in columns}
    fresh: dict[str, set[Any]] = {name: {seed[name] for seed in seeds if seed.get(name)} for name in columns}
    for _ in range(_MOST_LEVELS):
        mask = np.zeros(table.num_rows, bool)
        for lookup in lookups:
            values = set().union(*(fresh.get(name, set()) for name in lookup.have))
            for want in lookup.want:
                new = values - used[want]
                if new:
                    used[want] |= new
                    listed = pa.array(list(new), columns[want].type)
                    mask |= np.asarray(pc.is_in(columns[want], value_set=listed).to_numpy(zero_copy_only=False), bool)
        mask &= ~found
        if not mask.any():
            return found, True
        found |= mask
        if int(found.sum()) > most:
            return found, False
        picked = pa.array(mask)
        fresh = {
            name: {value for value in column.filter(picked).to_pylist() if value} for name, column in columns.items()
        }
    return found, False
