"""Everything that a tagger knows, made ready for looking up."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.model.catalog import Catalog
from metaflow_core.tagging.entries import Entry
from metaflow_core.tagging.held import Slots
from metaflow_core.tagging.owners import Owners
from metaflow_core.tagging.ports import PortTable
from metaflow_core.tagging.ranges import Change, Ranges, Space

__all__ = ["Knowledge", "Lookup"]

_NOTHING: Mapping[str, int] = MappingProxyType({})
_ROOM = 4096
"""Owners that nothing refers to any more are borne until they are as many as those in use, and this many."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Addresses to owners, owners to numbers, owners and ports to services. Never changed, so that new knowledge is one assignment.

    :ivar columns: for each of ``COLUMNS``, the number of each owner. :ivar server_role: what ``role`` holds in rows of a server.
    :ivar name: that of a number.
    """

    four: Ranges
    six: Ranges
    ports: PortTable
    columns: Mapping[str, NDArray[np.generic]]
    server_role: int
    entries: int
    instances: Sequence[str]
    name: Callable[[int], str]

    def instance_names(self, owners: NDArray[np.int32]) -> pa.Array:
        """Names of hosts."""
        encoded = pa.array(owners).dictionary_encode()
        names = [self.instances[owner] for owner in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.utf8()).take(encoded.indices)

    def service_names(self, numbers: NDArray[np.uint32]) -> pa.Array:
        """Names of services; empty for 0."""
        encoded = pa.array(numbers).dictionary_encode()
        names = [self.name(number) for number in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.utf8()).take(encoded.indices)


class Knowledge:
    """Entries in slots, and the look-up that follows from them; a change costs what it touches. Used by one thread at a time."""

    def __init__(self, catalog: Catalog, name: Callable[[int], str]) -> None:
        role = catalog.enum("role").value("server")
        self._role = role if isinstance(role, int) else 1
        self._name = name
        self.slots = Slots()
        # A slot that was left may be given again only when no owner in memory was made of what was in it.
        self._left: list[int] = []
        self._free: list[int] = []
        self._bare: dict[int, int] = {}
        self._count = 0
        self._begin()

    def _begin(self) -> None:
        self._owners = Owners(self.slots)
        self._four, self._six = (Space(version, self.slots, self._owners.owner) for version in (4, 6))

    def places(self, entries: Sequence[Entry]) -> list[int | None]:
        """The slots of these objects; None where one is not held."""
        if len(entries) > self._count // 8:
            slots = {id(entry): slot for slot, entry in enumerate(self.slots.entries) if entry is not None}
            return [slots.get(id(entry)) for entry in entries]
        return [self._place(entry) for entry in entries]

    def _place(self, entry: Entry) -> int | None:
        """Found by an address of its own: a table of all objects would take as much room as what they say."""
        if not entry.networks:
            return self._bare.get(id(entry))
        net = entry.networks[0]
        holders = (self._four if net.version == 4 else self._six).holders(net)
        return next((slot for slot in holders if self.slots.entries[slot] is entry), None)

    def held(self) -> Iterable[tuple[int, Entry]]:
        """Slots with their entries."""
        return ((slot, entry) for slot, entry in enumerate(self.slots.entries) if entry is not None)

    def change(self, removed: Iterable[int], added: Sequence[tuple[Entry, int, Mapping[str, int]]]) -> None:
        """Entries go, by their slots, and come with their own number and those of their attributes."""
        gone = [(slot, entry) for slot in removed if (entry := self.slots.entries[slot]) is not None]
        come: list[Change] = []
        for entry, own, attributes in added:
            slot = self._slot()
            self.slots.entries[slot], self.slots.own[slot], self.slots.attributes[slot] = entry, own, attributes
            come.append((slot, entry))
            if not entry.networks:
                self._bare[id(entry)] = slot
        self._count += len(come) - len(gone)
        for space in (self._four, self._six):
            space.change(gone, come)
        for slot, entry in gone:
            self._bare.pop(id(entry), None)
            self.slots.entries[slot] = None
            self._left.append(slot)
        pieces = self._four.ranges.owners.size + self._six.ranges.owners.size
        if len(self._owners) > 2 * pieces + _ROOM:
            self._anew()

    def _slot(self) -> int:
        """The lowest free one, so that entries of one change stand in their order."""
        if self._free:
            return heapq.heappop(self._free)
        self.slots.entries.append(None)
        self.slots.own.append(0)
        self.slots.attributes.append(_NOTHING)
        return len(self.slots.entries) - 1

    def _anew(self) -> None:
        """Makes all owners again, without those that nothing refers to."""
        self._begin()
        held = list(self.held())
        for space in (self._four, self._six):
            space.change((), held)
        self._free = sorted([*self._free, *self._left])
        self._left = []

    def lookup(self) -> Lookup:
        """What is in force now."""
        return Lookup(
            self._four.ranges,
            self._six.ranges,
            self._owners.ports.table(),
            self._owners.columns(),
            self._role,
            self._count,
            self._owners.names,
            self._name,
        )
