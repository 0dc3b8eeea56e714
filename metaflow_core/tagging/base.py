"""A tagger by what it knows: give it entries, and it fills columns, names numbers, and keeps history."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import QueryError, StorageError
from metaflow_core.model.catalog import Table
from metaflow_core.tagging.entries import LATEST, Entry
from metaflow_core.tagging.filling import fill
from metaflow_core.tagging.lookup import Knowledge, Lookup
from metaflow_core.tagging.numberer import Numberer
from metaflow_core.tagging.reports import Report
from metaflow_core.tagging.told import Told

__all__ = ["AddressTagger"]


class AddressTagger:
    """See :class:`metaflow_core.api.Tagger`. A tagger of one's own inherits it, and calls :meth:`learn` whenever it knows something new.

    :param unknown_is_internet: addresses that nothing is known of are on the Internet.
    :param is_hearsay: services are names that others used (a client writes what it likes into ``Host``): they are told where nobody
        knows better, and never take the place of a workload or a process.
    :param young_ns: an entry that is valid from so short a time before it is told gives no stored row a tag: rows are tagged with it as they
        come. 0 where what is told may be of a while ago.
    :ivar version: grows with every change of what is known. :ivar reaching: grows with those that stored rows may get tags by.
    """

    def __init__(
        self, context: BuildContext, *, unknown_is_internet: bool = False, is_hearsay: bool = False, young_ns: int = 0
    ) -> None:
        self.context = context
        self._unknown_is_internet = unknown_is_internet
        self._is_hearsay = is_hearsay
        self._young_ns = young_ns
        self._lock = threading.Lock()
        self._lookup: Lookup | None = None
        self._numberer = Numberer(context.ids)
        self._knowledge = Knowledge(context.catalog, context.ids.name)
        self._told = Told(context.ids)
        self.version = 0
        self.reaching = 0

    async def start(self) -> None:
        """Opens the book of numbers.

        :raises StorageError: it cannot be read.
        """
        self.context.ids.open()

    async def stop(self) -> None:
        """Nothing to give back."""

    def learn(self, entries: Sequence[Entry], moment_ns: int | None = None) -> None:
        """From now on these entries are what is known; may be called from any thread.

        Entries that were there before (the same objects) cost little.

        :param moment_ns: when custom tags changed that are different now; None for "they always were like this".
        :raises OverflowError: there are more names than numbers. :raises StorageError: the numbers could not be kept.
            In both cases what was in force stays.
        """
        with self._lock:
            now = {id(entry) for entry in entries}
            gone = [slot for slot, entry in self._knowledge.held() if id(entry) not in now]
            self._change(gone, entries, moment_ns)

    def revise(self, gone: Sequence[Entry], come: Sequence[Entry], moment_ns: int | None = None) -> None:
        """As :meth:`learn`, for whoever knows what changed: the cost is that of the change alone.

        :param gone: objects that were told before; others are passed over. :raises OverflowError: and StorageError as :meth:`learn`.
        """
        with self._lock:
            slots = dict.fromkeys(slot for slot in self._knowledge.places(gone) if slot is not None)
            self._change(list(slots), come, moment_ns)

    def _change(self, gone: Sequence[int], come: Sequence[Entry], moment_ns: int | None) -> None:
        """:param gone: slots. :param come: what is held already is passed over, even where it is among those that go."""
        since_s = None if moment_ns is None else moment_ns // 1_000_000_000
        fresh = {
            id(entry): entry for entry, place in zip(come, self._knowledge.places(come), strict=True) if place is None
        }
        added: list[tuple[Entry, int, Mapping[str, int]]] = []
        told: dict[str, list[int]] = {}
        try:
            for entry in fresh.values():
                own, attributes, named = self._numberer.take(entry, since_s)
                added.append((entry, own, attributes))
                for dictionary, numbers in named.items():
                    told.setdefault(dictionary, []).extend(numbers)
            # First the numbers, then the rows that hold them: a row never refers to a number that could be given again.
            self.context.ids.save()
        except (OverflowError, StorageError):
            for entry, own, _ in added:
                self._numberer.leave(entry, own)
            raise
        for entry, own, _ in added:
            before = self._told.tagged(own)
            # what holds for rows of the past only has the tags of then: they are told already, and are not those of now
            is_past = entry.valid_to != LATEST and bool(before)
            lost: Mapping[str, Mapping[str, str]] = {dictionary: {} for dictionary in before - entry.tags.keys()}
            for dictionary, tags in () if is_past else (*entry.tags.items(), *lost.items()):
                if self._told.tags(dictionary, own, tags, since_s):
                    told.setdefault(dictionary, []).append(own)
        slots = self._knowledge.slots
        left = [(slots.entry(slot), slots.own[slot]) for slot in gone]
        self._knowledge.change(gone, added)
        for entry, own in left:
            if self._numberer.leave(entry, own):
                for dictionary in entry.tags:
                    self._told.drop(dictionary, own)
        self._lookup = self._knowledge.lookup()
        self._told.log(told, since_s, self._lookup.entries)
        self.version += 1
        self.reaching += self._reaches_back(fresh.values(), [entry for entry, _ in left])

    def _reaches_back(self, come: Iterable[Entry], gone: Sequence[Entry]) -> bool:
        """Whether rows of before may get tags. That an entry ends gives none: what was valid until then was told when it began."""
        if not self._young_ns:
            return True
        earliest = self.context.clock.time_ns() - self._young_ns
        before = {_beginning(entry) for entry in gone if entry.valid_from < earliest}
        return any(entry.valid_from < earliest and _beginning(entry) not in before for entry in come)

    def report(self) -> Report:
        """What an agent's server may tag this machine's rows with; see :class:`ReportsSource`."""
        with self._lock:
            return Report(self.version, tuple(entry for _, entry in self._knowledge.held()))

    @property
    def entries(self) -> int:
        """How many entries are in force."""
        return self._lookup.entries if self._lookup is not None else 0

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The batch with more columns filled; what stands in one already stays. Tables without addresses come back as they were."""
        lookup = self._lookup
        table = self._table(batch.table)
        if lookup is None or table is None or not batch.data.num_rows:
            return batch
        now = self.context.clock.time_ns()
        data = fill(
            batch.data,
            table,
            lookup,
            now,
            unknown_is_internet=self._unknown_is_internet,
            is_hearsay=self._is_hearsay,
        )
        if data is None:
            return batch
        self.context.counters.add("tagged", batch.data.num_rows)
        return RecordBatch(batch.table, data, batch.batch_id)

    def _table(self, name: str) -> Table | None:
        try:
            return self.context.catalog.table(name)
        except QueryError:
            return None

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """What was named after a position; see :class:`metaflow_core.api.NamesSource`."""
        with self._lock:
            if not self._told.position:
                return 0, ()
            known: Mapping[str, Sequence[int]] = {}
            if not self._told.is_remembered(after):
                known = self._in_force()
            elif not after:
                known = self.context.ids.past(self)
            return self._told.position, self._told.after(after, known)

    def _in_force(self) -> Mapping[str, Sequence[int]]:
        """Every number that has a name or tags, by dictionary; also those of the past, as far as the book still knows them."""
        found: dict[str, list[int]] = self.context.ids.past(self)
        for slot, entry in self._knowledge.held():
            found.setdefault(self._numberer.kind(entry), []).append(self._knowledge.slots.own[slot])
        for dictionary, number in self._numberer.names():
            found.setdefault(dictionary, []).append(number)
        found.update(self._told.numbers())
        return found

    def dictionaries(self) -> Mapping[str, Mapping[int, str]]:
        """The names and custom tags in force, by dictionary."""
        found: dict[str, dict[int, str]] = {}
        for each in self.names(0)[1]:
            found.setdefault(each.dictionary, {}).update(each.names)
        return {name: dict(sorted(texts.items())) for name, texts in sorted(found.items())}


def _beginning(entry: Entry) -> tuple[object, ...]:
    """What of an entry is the same when all that changed is when it ends."""
    return entry.section, entry.name, entry.identity, entry.networks, entry.ports, entry.protocol, entry.valid_from
