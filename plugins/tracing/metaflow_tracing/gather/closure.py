"""Everything that hangs together in one stretch of time, found in memory from a few narrow columns.

Asking a storage for the related rows of related rows takes two questions a level of the call tree. One question for the linking columns
of all rows of the time is cheaper, because rows are kept by time; the levels are then walked here, a column at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from metaflow_core.api import Lookup

__all__ = ["closure", "linking_columns"]

_MOST_LEVELS = 200


def linking_columns(lookups: Sequence[Lookup]) -> tuple[str, ...]:
    """Every column that a lookup names."""
    return tuple(dict.fromkeys(name for lookup in lookups for name in (*lookup.have, *lookup.want, *lookup.together)))


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
    alone = [lookup for lookup in lookups if not lookup.together]
    several = [_Several(lookup, columns, seeds) for lookup in lookups if lookup.together]
    for _ in range(_MOST_LEVELS):
        mask = np.zeros(table.num_rows, bool)
        for each in several:
            mask |= each.related(table.num_rows)
        for lookup in alone:
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
        for each in several:
            each.add(mask)
        picked = pa.array(mask)
        fresh = {
            name: {value for value in column.filter(picked).to_pylist() if value} for name, column in columns.items()
        }
    return found, False


class _Several:
    """A lookup by several columns at once: their values are mixed to one number, so that all rows are compared in one look.

    Two rows whose mixed numbers are the same by chance do no harm: the rule judges them.
    """

    def __init__(self, lookup: Lookup, columns: Mapping[str, Any], seeds: Sequence[dict[str, Any]]) -> None:
        import numpy as np

        self._lookup = lookup
        self._columns = columns
        self._mixed: dict[str, np.ndarray[Any, Any]] = {}
        self._fresh = [
            _mixed([np.array([seed.get(name) or 0]) for name in (have, *lookup.together)])
            for have in lookup.have
            for seed in seeds
            if seed.get(have)
        ]

    def _of_rows(self, name: str) -> np.ndarray[Any, Any]:
        """The mixed number of every row, 0 of those without a value; made when it is first asked for."""
        import numpy as np
        import pyarrow.compute as pc

        if name not in self._mixed:
            parts = [np.asarray(pc.fill_null(self._columns[each], 0)) for each in (name, *self._lookup.together)]
            self._mixed[name] = np.where(parts[0] != 0, _mixed(parts), np.uint64(0))
        return self._mixed[name]

    def related(self, size: int) -> np.ndarray[Any, Any]:
        """Which rows agree with what is new."""
        import numpy as np

        found = np.zeros(size, bool)
        fresh, self._fresh = self._fresh, []
        if fresh:
            for name in self._lookup.want:
                found |= np.isin(self._of_rows(name), np.concatenate(fresh))
        return found

    def add(self, mask: np.ndarray[Any, Any]) -> None:
        """Rows that were found."""
        for name in self._lookup.have:
            mixed = self._of_rows(name)
            self._fresh.append(mixed[mask & (mixed != 0)])


def _mixed(columns: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Columns of numbers as one of 64 bits, never 0."""
    import numpy as np

    made = columns[0].astype(np.uint64)
    for column in columns[1:]:
        made = made * np.uint64(0x9E3779B97F4A7C15) + column.astype(np.uint64)
    return made | np.uint64(1 << 63)
