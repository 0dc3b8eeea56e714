"""A tagger by what it knows: give it entries, and it fills columns, names numbers, and keeps history."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Table
from metaflow_core.tagging.entries import Entry, Section
from metaflow_core.tagging.filling import fill
from metaflow_core.tagging.held import Numbers
from metaflow_core.tagging.lookup import Knowledge, Lookup
from metaflow_core.tagging.owners import Numberer
from metaflow_core.tagging.reports import Report

__all__ = ["AddressTagger"]

# Kinds that own no address. The names of all others stand in the dictionary of owners of any kind too; numbers are unique over all
# kinds, so it needs no kind.
_NO_OWNERS = frozenset({"region", "az", "vpc", "subnet", "pod_ns"})
_KINDS = {"cluster": "pod_cluster", "namespace": "pod_ns", "node": "pod_node", "workload": "pod_group"}


class AddressTagger:
    """See :class:`metaflow_core.api.Tagger`. A tagger of one's own inherits it, and calls :meth:`learn` whenever it knows something new.

    :param unknown_is_internet: addresses that nothing is known of are on the Internet.
    :ivar version: grows with every change of what is known.
    """

    def __init__(self, context: BuildContext, *, unknown_is_internet: bool = False) -> None:
        self.context = context
        self._unknown_is_internet = unknown_is_internet
        self._lock = threading.Lock()
        self._lookup: Lookup | None = None
        self._number = Numberer(context.ids)
        self._knowledge = Knowledge(context.catalog)
        # By the identity of the object: where its slot is, and the object, which keeps it from being another's.
        self._slots: dict[int, tuple[int, Entry]] = {}
        self._told: dict[str, dict[int, str]] = {}
        self._names: list[Names] = []
        self.version = 0

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
            held = self._slots
            self._change(
                [entry for mark, (_, entry) in held.items() if mark not in now],
                [entry for entry in entries if id(entry) not in held],
                moment_ns,
            )

    def revise(self, gone: Sequence[Entry], come: Sequence[Entry], moment_ns: int | None = None) -> None:
        """As :meth:`learn`, for whoever knows what changed: the cost is that of the change alone.

        :param gone: objects that were told before; others are passed over. :raises OverflowError: and StorageError as :meth:`learn`.
        """
        with self._lock:
            self._change(gone, [entry for entry in come if id(entry) not in self._slots], moment_ns)

    def _change(self, gone: Sequence[Entry], come: Sequence[Entry], moment_ns: int | None) -> None:
        fresh = {id(entry): entry for entry in come}
        added = [(entry, self._number(entry)) for entry in fresh.values()]
        # First the numbers, then the rows that hold them: a row never refers to a number that could be given again.
        self.context.ids.save()
        left = [self._slots.pop(id(entry))[0] for entry in gone if id(entry) in self._slots]
        for (entry, _), slot in zip(added, self._knowledge.change(left, added), strict=True):
            self._slots[id(entry)] = slot, entry
        self._tell(added, None if moment_ns is None else moment_ns // 1_000_000_000)
        self._lookup = self._knowledge.lookup()
        self.version += 1

    def report(self) -> Report:
        """What an agent's server may tag this machine's rows with; see :class:`ReportsSource`."""
        with self._lock:
            return Report(self.version, tuple(entry for _, entry in self._slots.values()))

    @property
    def entries(self) -> int:
        """How many entries are in force."""
        return self._lookup.entries if self._lookup is not None else 0

    def _tell(self, added: Sequence[tuple[Entry, Numbers]], since_s: int | None) -> None:
        """Keep what names and custom tags are new, for :meth:`names`."""
        fresh: dict[str, dict[int, str]] = {}
        changed: dict[str, dict[int, str]] = {}

        def tell(dictionary: str, number: int, text: str) -> None:
            known = self._told.setdefault(dictionary, {})
            old = known.get(number)
            if old != text:
                known[number] = text
                (fresh if old is None else changed).setdefault(dictionary, {})[number] = text

        def name_it(kind: str, number: int, name: str) -> None:
            for dictionary in _dictionaries(kind):
                tell(dictionary, number, name)

        if not self._told:
            # Rows of the past hold numbers that nothing here owns any more.
            for kind, names in self.context.ids.names().items():
                for number, name in names.items():
                    name_it(kind, number, name)
        for entry, held in added:
            kind = {Section.SUBNETS: "subnet", Section.SERVICES: "service"}.get(entry.section, entry.dictionary)
            name_it(kind, held.own, entry.name)
            for key, name in entry.attributes.items():
                name_it(_KINDS.get(key, key), held.attributes[key], name)
            for dictionary, tags in entry.tags.items():
                tell(dictionary, held.own, json.dumps(dict(tags), ensure_ascii=False, sort_keys=True))
        self._names.extend(Names(name, texts) for name, texts in sorted(fresh.items()))
        self._names.extend(Names(name, texts, since_s) for name, texts in sorted(changed.items()))

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The batch with more columns filled; what stands in one already stays. Tables without addresses come back as they were."""
        lookup = self._lookup
        table = self._table(batch.table)
        if lookup is None or table is None or not batch.data.num_rows:
            return batch
        now = self.context.clock.time_ns()
        data = fill(batch.data, table, lookup, now, unknown_is_internet=self._unknown_is_internet)
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
            return len(self._names), tuple(self._names[after:])

    def dictionaries(self) -> Mapping[str, Mapping[int, str]]:
        """The names and custom tags in force, by dictionary."""
        with self._lock:
            return {name: dict(sorted(texts.items())) for name, texts in sorted(self._told.items())}


def _dictionaries(kind: str) -> Iterator[str]:
    """The dictionaries that hold a name of some kind."""
    yield kind
    if kind == "service":
        yield "pod_service"
    if kind not in _NO_OWNERS:
        yield "device"
