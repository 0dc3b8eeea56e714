"""Rows that wait in memory for more, by table: an insert of ten rows costs a store as much as one of a thousand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from metaflow_core.api.components import RecordBatch
from metaflow_core.config.sections import GatherSection
from metaflow_core.pipeline.sink import Delivery
from metaflow_core.pipeline.sizes import byte_size

__all__ = ["Gather", "Heap", "joined"]

_MOST_HELD = 32
"""Who sends waits for each of its batches, and lets only so many be unanswered."""
_FLOOR_S = 1.0
"""Pages refresh themselves: what was written a moment ago is not written again for the next question."""


@dataclass(slots=True)
class Heap:
    """What waits for one table.

    :ivar raw: batches that no tagger has seen. :ivar ready: tagged ones. :ivar held: those of which the sender waits.
    :ivar due: on the clock, when they are written at the latest.
    """

    table: str
    due: float
    raw: list[RecordBatch] = field(default_factory=list)
    ready: list[RecordBatch] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)

    def batches(self) -> Iterator[RecordBatch]:
        """All of them."""
        yield from self.raw
        yield from self.ready
        yield from (each.batch for each in self.held)


class Gather:
    """Keeps, and says what is to be written; it writes nothing itself.

    :param order: tables in the order in which taggers are to see them; others come behind those.
    """

    def __init__(self, section: GatherSection, order: Sequence[str] = ()) -> None:
        self._section = section
        self._order = {name: place for place, name in enumerate(order)}
        self._heaps: dict[str, Heap] = {}
        self._asked: dict[str, float] = {}
        self.rows = 0
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._heaps)

    @property
    def holds(self) -> bool:
        """Whether batches wait of which the sender waits."""
        return self._section.held_s > 0

    @property
    def is_full(self) -> bool:
        """No more may wait."""
        return self.rows >= self._section.max_rows or self.nbytes >= self._section.max_bytes

    def add(self, batch: RecordBatch, now: float, *, is_tagged: bool) -> None:
        """Keep a batch that nobody waits for."""
        heap = self._heap(batch, now + self._section.wait_s)
        (heap.ready if is_tagged else heap.raw).append(batch)

    def hold(self, delivery: Delivery, now: float) -> bool:
        """Keep a tagged batch whose sender waits; returns whether its table is to be written at once."""
        heap = self._heap(delivery.batch, now + min(self._section.held_s, self._section.wait_s))
        heap.held.append(delivery)
        return len(heap.held) >= _MOST_HELD

    def _heap(self, batch: RecordBatch, due: float) -> Heap:
        self._count(batch, 1)
        heap = self._heaps.setdefault(batch.table, Heap(batch.table, due))
        heap.due = min(heap.due, due)
        return heap

    def _count(self, batch: RecordBatch, sign: int) -> None:
        self.rows += sign * batch.data.num_rows
        self.nbytes += sign * byte_size(batch)

    def rest(self, now: float) -> float | None:
        """Seconds until something is due; None while nothing waits."""
        return max(min(heap.due for heap in self._heaps.values()) - now, 0.0) if self._heaps else None

    def due(self, now: float) -> set[str]:
        """Tables to write when one is due: also those that nearly are, so that everything is tagged together."""
        soon = now + self._section.wait_s / 4
        return {name for name, heap in self._heaps.items() if heap.due <= soon}

    def wanted(self, tables: Collection[str] | None, now: float) -> set[str]:
        """Of the tables that somebody asks for, those that were not asked for a moment ago; from now on they were."""
        asked = {"", *self._heaps, *self._asked} if tables is None else set(tables)
        found = {name for name in asked if now - self._asked.get(name, -_FLOOR_S) >= _FLOOR_S}
        self._asked.update(dict.fromkeys(found, now))
        return found

    def raw(self) -> list[Heap]:
        """Those with batches that no tagger has seen, in the order for them."""
        last = len(self._order)
        heaps = (heap for heap in self._heaps.values() if heap.raw)
        return sorted(heaps, key=lambda heap: self._order.get(heap.table, last))

    def take(self, tables: Collection[str] | None = None) -> list[Heap]:
        """Take out what waits for these tables, or all."""
        names = [name for name in self._heaps if tables is None or name in tables]
        taken = [self._heaps.pop(name) for name in names]
        for batch in (batch for heap in taken for batch in heap.batches()):
            self._count(batch, -1)
        return taken

    def exchange(self, heap: Heap, raw: int, tagged: Iterable[RecordBatch]) -> None:
        """The first so many of a heap's raw batches were tagged, and became these."""
        for batch in heap.raw[:raw]:
            self._count(batch, -1)
        del heap.raw[:raw]
        for batch in tagged:
            self._count(batch, 1)
            heap.ready.append(batch)


def joined(batches: Sequence[RecordBatch]) -> list[RecordBatch]:
    """The same rows of one table in as few batches as their columns allow: those with the same columns become one. They have no id."""
    import pyarrow as pa

    groups: list[list[RecordBatch]] = []
    for batch in batches:
        group = next((each for each in groups if each[0].data.schema.equals(batch.data.schema)), None)
        if group is None:
            groups.append([batch])
        else:
            group.append(batch)
    found: list[RecordBatch] = []
    for group in groups:
        if len(group) == 1:
            found += group
            continue
        try:
            # dictionaries are joined once, here, and not with every batch
            whole = pa.Table.from_batches([batch.data for batch in group]).unify_dictionaries().combine_chunks()
        except pa.ArrowException:
            # types that a plugin made and Arrow cannot put together: they go as they came
            found += group
        else:
            found += [RecordBatch(group[0].table, data) for data in whole.to_batches()]
    return found
