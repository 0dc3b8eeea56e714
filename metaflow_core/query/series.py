"""Labels that are the same in all rows of a series: kept once a series, in a dictionary, and not on every row.

A table has such labels when it has a tag that is a map (``label``) with one number for its key (``series_id``) and a dictionary, and beside
them lists with the names and values (``label_names``, ``label_values``) in which producers send them. A storage takes the lists off the
rows that it is given, remembers the text of each new number, and shows lists and tag from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.values import Table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Labelled", "Labels", "labels_of", "series_dictionaries"]


@dataclass(frozen=True, slots=True)
class Labels:
    """Where a table has labels of series.

    :ivar number: the column that tells series apart. :ivar names: and :ivar values: the lists. :ivar dictionary: where texts are.
    """

    number: str
    names: str
    values: str
    dictionary: str

    def split(self, data: pa.RecordBatch) -> Labelled:
        """The rows without their lists, and the series that they belong to."""
        import numpy as np
        import pyarrow as pa

        if self.names not in data.schema.names or self.values not in data.schema.names:
            # Lists that come alone say nothing; a storage has no room for them on its rows.
            rest = data.select([name for name in data.schema.names if name not in (self.names, self.values)])
            return Labelled(rest, np.empty(0, np.uint64), None, None, {})
        names, values = data.column(self.names), data.column(self.values)
        at = data.schema.get_field_index(self.number)
        given = np.asarray(data.column(at)) if at >= 0 else np.zeros(data.num_rows, np.uint64)
        if not given.all():
            given = _numbered(given, names, values)
            column = pa.array(given, pa.uint64())
            if at >= 0:
                data = data.set_column(at, data.schema.field(at), column)
            else:
                data = data.append_column(self.number, column)
        encoded = pa.array(given, pa.uint64()).dictionary_encode()
        # Of an index that occurs several times the first place stays: places are given from the last to the first.
        codes = np.asarray(encoded.indices)
        first = np.empty(len(encoded.dictionary), np.int64)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
        rest = data.select([name for name in data.schema.names if name not in (self.names, self.values)])
        numbers = np.asarray(encoded.dictionary)
        return Labelled(rest, numbers, names, values, dict(zip(numbers.tolist(), first.tolist(), strict=True)))


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose labels were taken off.

    :ivar data: the rows. :ivar numbers: of the series, each once. :ivar first: a row of each.
    """

    data: pa.RecordBatch
    numbers: np.ndarray[Any, np.dtype[np.uint64]]
    names: pa.Array
    values: pa.Array
    first: Mapping[int, int]

    def texts(self, numbers: Iterable[int]) -> dict[int, str]:
        """The labels of these series, each as a JSON object with its names in order."""
        import pyarrow as pa

        wanted = list(numbers)
        if not wanted:
            return {}
        rows = pa.array([self.first[each] for each in wanted], pa.int64())
        keys, values = self.names.take(rows).to_pylist(), self.values.take(rows).to_pylist()
        return {
            number: _text(dict(zip(ours or (), theirs or (), strict=False)))
            for number, ours, theirs in zip(wanted, keys, values, strict=True)
        }


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(labels, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _numbered(given: np.ndarray[Any, Any], names: pa.Array, values: pa.Array) -> np.ndarray[Any, Any]:
    """Rows without a number get one from their labels."""
    import numpy as np
    import pyarrow as pa

    given = given.astype(np.uint64)
    missing = np.flatnonzero(given == 0)
    rows = pa.array(missing)
    known: dict[str, int] = {}
    for row, ours, theirs in zip(missing, names.take(rows).to_pylist(), values.take(rows).to_pylist(), strict=True):
        pairs = dict(zip(ours or (), theirs or (), strict=False))
        if not pairs:
            continue
        text = _text(pairs)
        if text not in known:
            known[text] = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") or 1
        given[row] = known[text]
    return given


def labels_of(table: Table) -> Labels | None:
    """Where the table has labels of series; None where it has none."""
    for tag in table.tags:
        if tag.kind != "map" or not tag.dictionary or len(tag.key) != 1:
            continue
        names, values = f"{tag.name}_names", f"{tag.name}_values"
        columns = {column.name: column.type for column in table.columns}
        if columns.get(names) == columns.get(values) == "list_string" and columns.get(tag.key[0]) == "u64":
            return Labels(tag.key[0], names, values, tag.dictionary)
    return None


def series_dictionaries(catalog: Catalog) -> frozenset[str]:
    """All dictionaries that hold labels of series."""
    found = (labels_of(table) for table in catalog.tables.values())
    return frozenset(each.dictionary for each in found if each is not None)
