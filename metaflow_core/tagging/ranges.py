"""Addresses and times to owners: sorted ranges that do not overlap, searched for whole columns at once, changed piece by piece."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.covers import Covers
from metaflow_core.tagging.entries import EARLIEST, LATEST, Entry, Network, Section
from metaflow_core.tagging.held import Held
from metaflow_core.tagging.search import last_not_after

__all__ = ["Change", "Ranges", "Space"]

Change: TypeAlias = tuple[int, Entry]
"""A slot, and the entry that is in it."""

_ORDER = {Section.HOSTS: 0, Section.SUBNETS: 1, Section.SERVICES: 2}
_FEW = 8
"""Bounds are put into the sorted list one by one while they are fewer than one in so many."""


class Ranges:
    """The owners of all addresses of one IP version; never changed.

    The address space is cut at every end of a network, so that each piece has the same networks over it; where those have limited
    validity, a piece is cut again by time. Looking up is one binary search by address, and one by time among the cuts of its piece.
    """

    def __init__(
        self,
        starts: NDArray[Any],
        counts: NDArray[np.int64],
        times: NDArray[np.int64],
        owners: NDArray[np.int32],
    ) -> None:
        self.starts, self.counts, self.times, self.owners = starts, counts, times, owners
        self.first: NDArray[np.int64] = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    @property
    def is_empty(self) -> bool:
        """Nothing is known of any address."""
        return not self.owners.any()

    def find(self, addresses: NDArray[Any], moments: NDArray[np.int64]) -> NDArray[np.int32]:
        """The owner of each address at each time (nanoseconds since 1970).

        :param addresses: unsigned numbers of 32 bits, or texts of 16 bytes.
        """
        segments = np.searchsorted(self.starts, addresses, side="right") - 1
        return self.owners[last_not_after(self.times, self.first, segments, moments)]


class Space:
    """Makes ranges, and makes new ones from them by working out only what a change touches.

    :param entries: what is in each slot. :param owner: makes the owner of some entries, the longest prefix first.
    """

    def __init__(self, version: int, entries: Sequence[Entry | None], owner: Callable[[tuple[Held, ...]], int]) -> None:
        self._version = version
        self._entries = entries
        self._owner = owner
        bits = 32 if version == 4 else 128
        self._end = 1 << bits
        self._covers = Covers(bits)
        self._uses: dict[int, int] = {0: 1}
        self._bounds = [0]
        self.ranges = Ranges(self._starts([0]), np.ones(1, np.int64), np.full(1, EARLIEST), np.zeros(1, np.int32))

    def change(self, removed: Iterable[Change], added: Iterable[Change]) -> None:
        """Makes :attr:`ranges` anew."""
        touched: list[tuple[int, int]] = []
        gone: list[int] = []
        come: list[int] = []
        for slot, net in self._networks(removed):
            self._covers.remove(slot, net)
            touched.append((net.first, net.last + 1))
            for bound in touched[-1]:
                self._uses[bound] -= 1
                if not self._uses[bound]:
                    del self._uses[bound]
                    gone.append(bound)
        for slot, net in self._networks(added):
            self._covers.add(slot, net)
            touched.append((net.first, net.last + 1))
            for bound in touched[-1]:
                if bound not in self._uses:
                    come.append(bound)
                self._uses[bound] = self._uses.get(bound, 0) + 1
        if touched:
            before, self._bounds = self._bounds, self._moved(gone, come)
            self._splice(before, _merged(touched))

    def _networks(self, changes: Iterable[Change]) -> Iterable[tuple[int, Network]]:
        return ((slot, net) for slot, entry in changes for net in entry.networks if net.version == self._version)

    def _moved(self, gone: Sequence[int], come: Sequence[int]) -> list[int]:
        if len(gone) + len(come) > len(self._bounds) // _FEW:
            return sorted(bound for bound in self._uses if bound < self._end)
        bounds = self._bounds.copy()
        for bound in gone:
            if bound < self._end:
                del bounds[bisect_left(bounds, bound)]
        for bound in come:
            # it may have gone and come back
            if bound < self._end:
                insort(bounds, bound)
        return bounds

    def _splice(self, before: Sequence[int], touched: Iterable[tuple[int, int]]) -> None:
        """Keeps the stretches that nothing touched, and works out the others."""
        old, bounds = self.ranges, self._bounds
        parts: list[tuple[NDArray[Any], ...]] = []
        at = 0

        def keep(until: int) -> None:
            a, b = old.first[at], old.first[until]
            parts.append((old.starts[at:until], old.counts[at:until], old.times[a:b], old.owners[a:b]))

        for low, high in touched:
            keep(bisect_left(before, low))
            parts.append(self._worked_out(bounds[bisect_left(bounds, low) : bisect_right(bounds, high)]))
            at = bisect_right(before, high)
        keep(len(before))
        self.ranges = Ranges(*(np.concatenate([part[column] for part in parts]) for column in range(4)))

    def _worked_out(self, starts: Sequence[int]) -> tuple[NDArray[Any], ...]:
        counts, times, owners = [], [], []
        for start in starts:
            order = sorted(self._covers.at(start).items(), key=self._precedence)
            pieces = list(self._pieces(order))
            counts.append(len(pieces))
            times += [moment for moment, _ in pieces]
            owners += [self._owner(held) for _, held in pieces]
        return (
            self._starts(starts),
            np.array(counts, np.int64),
            np.array(times, np.int64),
            np.array(owners, np.int32),
        )

    def _starts(self, starts: Sequence[int]) -> NDArray[Any]:
        if self._version == 4:
            return np.array(starts, np.uint32)
        return np.array([start.to_bytes(16, "big") for start in starts], "S16")

    def _entry(self, slot: int) -> Entry:
        entry = self._entries[slot]
        assert entry is not None
        return entry

    def _precedence(self, held: Held) -> tuple[int, int, int, int]:
        """The longest prefix first; of equal ones a host before the subnet that is no larger than it, then as the entries say."""
        slot, prefix = held
        entry = self._entry(slot)
        return -prefix, _ORDER[entry.section], entry.rank, slot

    def _pieces(self, order: list[Held]) -> list[tuple[int, tuple[Held, ...]]]:
        """From which moment on which of the entries hold."""
        spans = [(entry.valid_from, entry.valid_to) for entry in (self._entry(slot) for slot, _ in order)]
        if all(span == (EARLIEST, LATEST) for span in spans):
            return [(EARLIEST, tuple(order))]
        moments = sorted({EARLIEST, *(moment for span in spans for moment in span)} - {LATEST})
        return [
            (m, tuple(held for held, (begin, end) in zip(order, spans, strict=True) if begin <= m < end))
            for m in moments
        ]


def _merged(touched: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches, bounds included, that neither overlap nor touch."""
    touched.sort()
    out = [touched[0]]
    for low, high in touched[1:]:
        if low <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out
