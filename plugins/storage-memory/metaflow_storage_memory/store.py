"""Batches by table within a bound of rows and bytes; the oldest go first."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

import pyarrow as pa

__all__ = ["Store"]

_REMEMBERED_IDS = 100_000


class Store:
    """Batches of all tables in the order they came. Safe from any thread; readers get snapshots."""

    def __init__(self, max_bytes: int | None, max_rows: int | None) -> None:
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._order: deque[str] = deque()
        self._batches: dict[str, deque[pa.RecordBatch]] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._rows = 0
        self._bytes = 0

    def add(self, table: str, batch: pa.RecordBatch, batch_id: str = "") -> int | None:
        """Keeps a batch.

        :returns: how many rows were dropped to make room; None when the id was seen before and nothing was stored.
        """
        with self._lock:
            if batch_id:
                if batch_id in self._seen:
                    return None
                self._seen[batch_id] = None
                if len(self._seen) > _REMEMBERED_IDS:
                    self._seen.popitem(last=False)
            if not batch.num_rows:
                return 0
            before = int(batch.num_rows)
            batch = self._cut(batch)
            dropped = before - int(batch.num_rows)
            if batch.num_rows:
                self._batches.setdefault(table, deque()).append(batch)
                self._order.append(table)
                self._rows += batch.num_rows
                self._bytes += batch.nbytes
            while self._order and self._over():
                dropped += self._drop_oldest()
            return dropped

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The last rows of a batch that is larger than everything that may be kept."""
        if self._max_rows is not None and batch.num_rows > self._max_rows:
            batch = batch.slice(batch.num_rows - self._max_rows)
        while self._max_bytes is not None and batch.num_rows and batch.nbytes > self._max_bytes:
            # Rows differ in size: each round cuts by the mean and at least one row, until it fits.
            keep = min(batch.num_rows - 1, batch.num_rows * self._max_bytes // batch.nbytes)
            batch = batch.slice(batch.num_rows - keep)
        return batch

    def _over(self) -> bool:
        return (self._max_bytes is not None and self._bytes > self._max_bytes) or (
            self._max_rows is not None and self._rows > self._max_rows
        )

    def _drop_oldest(self) -> int:
        batch = self._batches[self._order.popleft()].popleft()
        self._rows -= batch.num_rows
        self._bytes -= batch.nbytes
        return int(batch.num_rows)

    def batches(self, table: str) -> list[pa.RecordBatch]:
        """What is kept of a table, oldest first."""
        with self._lock:
            return list(self._batches.get(table, ()))

    def exchange(self, table: str, old: pa.RecordBatch, new: pa.RecordBatch) -> bool:
        """Puts a batch in the place of another one of as many rows; False where that is not there any more."""
        with self._lock:
            kept = self._batches.get(table, deque())
            place = next((place for place, each in enumerate(kept) if each is old), None)
            if place is None:
                return False
            kept[place] = new
            self._bytes += new.nbytes - old.nbytes
            return True

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._order.clear()
            self._batches.clear()
            self._seen.clear()
            self._rows = self._bytes = 0

    def sizes(self) -> dict[str, dict[str, int]]:
        """Rows and bytes of every table that has rows."""
        with self._lock:
            return {
                name: {"rows": sum(b.num_rows for b in kept), "bytes": sum(b.nbytes for b in kept)}
                for name, kept in sorted(self._batches.items())
                if kept
            }
