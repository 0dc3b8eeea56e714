"""Everything that a tagger knows, made ready for looking up."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.model.catalog import Catalog
from metaflow_core.tagging.entries import Entry, Section
from metaflow_core.tagging.held import Numbers
from metaflow_core.tagging.owners import Owners
from metaflow_core.tagging.ports import PortTable
from metaflow_core.tagging.ranges import Change, Ranges, Space

__all__ = ["Knowledge", "Lookup"]

_ROOM = 4096
"""Owners that nothing refers to any more are borne until they are as many as those in use, and this many."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Addresses to owners, owners to numbers, owners and ports to services. Never changed, so that new knowledge is one assignment.

    :ivar columns: for each of ``COLUMNS``, the number of each owner. :ivar server_role: what ``role`` holds in rows of a server.
    """

    four: Ranges
    six: Ranges
    ports: PortTable
    columns: Mapping[str, NDArray[np.generic]]
    server_role: int
    entries: int
    instances: Sequence[str]
    services: Mapping[int, str]

    def instance_names(self, owners: NDArray[np.int32]) -> pa.Array:
        """Names of hosts."""
        encoded = pa.array(owners).dictionary_encode()
        names = [self.instances[owner] for owner in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.utf8()).take(encoded.indices)

    def service_names(self, numbers: NDArray[np.uint32]) -> pa.Array:
        """Names of services; empty for 0."""
        encoded = pa.array(numbers).dictionary_encode()
        names = [self.services.get(number, "") for number in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.utf8()).take(encoded.indices)


class Knowledge:
    """Entries in slots, and the look-up that follows from them; a change costs what it touches. Used by one thread at a time."""

    def __init__(self, catalog: Catalog) -> None:
        role = catalog.enum("role").value("server")
        self._role = role if isinstance(role, int) else 1
        self._entries: list[Entry | None] = []
        self._numbers: list[Numbers | None] = []
        # A slot that was left may be given again only when no owner in memory was made of what was in it.
        self._left: list[int] = []
        self._free: list[int] = []
        self._count = 0
        self._services: dict[int, str] = {}
        self._begin()

    def _begin(self) -> None:
        self._owners = Owners(self._entries, self._numbers)
        self._four, self._six = (Space(version, self._entries, self._owners.owner) for version in (4, 6))

    def change(self, removed: Sequence[int], added: Sequence[tuple[Entry, Numbers]]) -> list[int]:
        """Entries go and come; the slots of those that came, in their order."""
        gone = [(slot, entry) for slot in removed if (entry := self._entries[slot]) is not None]
        come: list[Change] = []
        for entry, numbers in added:
            slot = self._slot()
            self._entries[slot], self._numbers[slot] = entry, numbers
            come.append((slot, entry))
            if entry.section is Section.SERVICES:
                self._services[numbers.own] = entry.name
        self._count += len(come) - len(gone)
        for space in (self._four, self._six):
            space.change(gone, come)
        for slot, _ in gone:
            self._entries[slot] = self._numbers[slot] = None
            self._left.append(slot)
        pieces = self._four.ranges.owners.size + self._six.ranges.owners.size
        if len(self._owners) > 2 * pieces + _ROOM:
            self._anew()
        return [slot for slot, _ in come]

    def _slot(self) -> int:
        """The lowest free one, so that entries of one change stand in their order."""
        if self._free:
            return heapq.heappop(self._free)
        self._entries.append(None)
        self._numbers.append(None)
        return len(self._entries) - 1

    def _anew(self) -> None:
        """Makes all owners again, without those that nothing refers to."""
        self._begin()
        held = [(slot, entry) for slot, entry in enumerate(self._entries) if entry is not None]
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
            self._services,
        )
