"""Addresses and times to owners: sorted ranges that do not overlap, searched for whole columns at once, changed piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.covers import Covers
from metaflow_core.tagging.entries import EARLIEST, LATEST, Entry, Network, Section
from metaflow_core.tagging.held import Held, Slots
from metaflow_core.tagging.search import last_not_after

__all__ = ["Change", "Ranges", "Space"]

Change: TypeAlias = tuple[int, Entry]
"""A slot, and the entry that is in it."""

_ORDER = {Section.HOSTS: 0, Section.SUBNETS: 1, Section.SERVICES: 2}


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

    :param slots: what is known. :param owner: makes the owner of some entries, the longest prefix first.
    """

    def __init__(self, version: int, slots: Slots, owner: Callable[[tuple[Held, ...]], int]) -> None:
        self._version = version
        self._slots = slots
        self._owner = owner
        bits = 32 if version == 4 else 128
        self._end = 1 << bits
        self._covers = Covers(bits)
        self.ranges = Ranges(self._starts([0]), np.ones(1, np.int64), np.full(1, EARLIEST), np.zeros(1, np.int32))

    def holders(self, net: Network) -> tuple[int, ...]:
        """The slots whose entries own exactly this network."""
        return self._covers.of(net)

    def change(self, removed: Iterable[Change], added: Iterable[Change]) -> None:
        """Makes :attr:`ranges` anew."""
        touched: list[tuple[int, int]] = []
        for slot, net in self._networks(removed):
            self._covers.remove(slot, net)
            touched.append((net.first, net.last + 1))
        for slot, net in self._networks(added):
            self._covers.add(slot, net)
            touched.append((net.first, net.last + 1))
        if touched:
            self._splice(self._moved(touched), _merged(touched))

    def _networks(self, changes: Iterable[Change]) -> Iterable[tuple[int, Network]]:
        return ((slot, net) for slot, entry in changes for net in entry.networks if net.version == self._version)

    def _moved(self, touched: Iterable[tuple[int, int]]) -> NDArray[Any]:
        """Where stretches begin from now on: only ends of what was touched can be others than before."""
        ends = sorted({bound for pair in touched for bound in pair if 0 < bound < self._end})
        if not ends:
            return self.ranges.starts
        keys, before = self._starts(ends), self.ranges.starts
        places = np.searchsorted(before, keys)
        was = np.zeros(len(ends), np.bool_)
        inside = places < before.size
        was[inside] = before[places[inside]] == keys[inside]
        now = np.fromiter((self._covers.is_bound(each) for each in ends), np.bool_, len(ends))
        left = np.delete(before, places[was & ~now])
        come = keys[now & ~was]
        return np.insert(left, np.searchsorted(left, come), come) if come.size else left

    def _splice(self, bounds: NDArray[Any], touched: Sequence[tuple[int, int]]) -> None:
        """Keeps the stretches that nothing touched, and works out the others."""
        old = self.ranges
        parts: list[tuple[NDArray[Any], ...]] = []

        def keep(begin: int, until: int) -> None:
            a, b = old.first[begin], old.first[until]
            parts.append((old.starts[begin:until], old.counts[begin:until], old.times[a:b], old.owners[a:b]))

        at = 0
        for (until, begin), (low, high) in zip(
            self._cuts(old.starts, touched), self._cuts(bounds, touched), strict=True
        ):
            keep(at, until)
            parts.append(self._worked_out(self._numbers(bounds[low:high])))
            at = begin
        keep(at, old.starts.size)
        self.ranges = Ranges(*(np.concatenate([part[column] for part in parts]) for column in range(4)))

    def _cuts(self, starts: NDArray[Any], touched: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """The places from and until which stretches are touched, ends included: what lies behind may begin there only now."""
        lows = self._starts([low for low, _ in touched])
        highs = self._starts([min(high, self._end - 1) for _, high in touched])
        left: NDArray[np.int64] = np.searchsorted(starts, lows, "left")
        right: NDArray[np.int64] = np.searchsorted(starts, highs, "right")
        return list(zip(left.tolist(), right.tolist(), strict=True))

    def _numbers(self, starts: NDArray[Any]) -> list[int]:
        if self._version == 4:
            return [int(each) for each in starts]
        return [int.from_bytes(each.ljust(16, b"\0"), "big") for each in starts.tolist()]

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

    def _precedence(self, held: Held) -> tuple[int, int, int, int]:
        """The longest prefix first; of equal ones a host before the subnet that is no larger than it, then as the entries say."""
        slot, prefix = held
        entry = self._slots.entry(slot)
        return -prefix, _ORDER[entry.section], entry.rank, slot

    def _pieces(self, order: list[Held]) -> list[tuple[int, tuple[Held, ...]]]:
        """From which moment on which of the entries hold."""
        spans = [(entry.valid_from, entry.valid_to) for entry in (self._slots.entry(slot) for slot, _ in order)]
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
