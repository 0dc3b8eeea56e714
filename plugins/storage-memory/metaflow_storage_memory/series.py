"""Labels of series: once a series, beside the rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.query import Labels, labels_of

__all__ = ["Series"]

_FEW = 50_000


class Series:
    """The labels of series by their number. Safe from any thread.

    :param live: the batches that are kept of a table, so that labels go when their rows have gone.
    """

    def __init__(self, catalog: Catalog, live: Callable[[str], Iterable[pa.RecordBatch]]) -> None:
        self._places = {table.name: found for table in catalog.tables.values() if (found := labels_of(table))}
        self._dictionaries = frozenset(each.dictionary for each in self._places.values())
        self._live = live
        self._lock = threading.Lock()
        self._texts: dict[int, str] = {}
        self._clean_at = _FEW

    def place(self, table: Table) -> Labels | None:
        """Where the table has labels."""
        return self._places.get(table.name)

    def holds(self, dictionary: str) -> bool:
        """Whether a dictionary is one of labels."""
        return dictionary in self._dictionaries

    def take(self, table: Table, data: pa.RecordBatch) -> pa.RecordBatch:
        """The rows without labels, which are remembered."""
        place = self.place(table)
        if place is None:
            return data
        split = place.split(data)
        with self._lock:
            self._texts.update(split.texts(each for each in split.numbers.tolist() if each not in self._texts))
        return split.data

    def tidy(self) -> None:
        """Forget labels without rows; done each time that there are twice as many as were left."""
        with self._lock:
            if len(self._texts) < self._clean_at:
                return
            held: set[int] = set()
            for name, place in self._places.items():
                for batch in self._live(name):
                    held.update(np.unique(np.asarray(batch.column(place.number))).tolist())
            self._texts = {number: text for number, text in self._texts.items() if number in held}
            self._clean_at = max(_FEW, 2 * len(self._texts))

    def text(self, number: int) -> str:
        """The labels of a series as a JSON object; empty where it is not known."""
        return self._texts.get(number, "")

    def lists(self, place: Labels, column: str, numbers: pa.Array) -> pa.Array:
        """The names or the values of each row's labels."""
        encoded = numbers.dictionary_encode()
        found = [json.loads(self._texts.get(each, "{}")) for each in encoded.dictionary.to_pylist()]
        lists = [list(each) if column == place.names else list(each.values()) for each in found]
        return pa.array(lists, pa.list_(pa.utf8())).take(encoded.indices)
