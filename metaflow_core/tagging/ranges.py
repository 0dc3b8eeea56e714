"""Addresses and times to owners: sorted ranges that do not overlap, searched for whole columns at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.entries import EARLIEST, LATEST, Entry, Section
from metaflow_core.tagging.owners import Held

__all__ = ["Ranges"]

_ORDER = {Section.HOSTS: 0, Section.SUBNETS: 1, Section.SERVICES: 2}


class Ranges:
    """The owners of all addresses of one IP version.

    The address space is cut at every end of a network, so that each piece has the same networks over it; where those have limited
    validity, a piece is cut again by time. Looking up is one binary search by address, one by time, and one in the cuts.

    :param owner: makes the owner of some entries, the longest prefix first.
    """

    def __init__(self, version: int, entries: Sequence[Entry], owner: Callable[[tuple[Held, ...]], int]) -> None:
        self._version = version
        events: dict[int, tuple[list[int], list[int]]] = {0: ([], [])}
        prefixes: dict[int, list[tuple[int, int, int]]] = {}
        for index, entry in enumerate(entries):
            for net in entry.networks:
                if net.version == version:
                    prefixes.setdefault(index, []).append((net.first, net.last, net.prefix))
                    events.setdefault(net.first, ([], []))[0].append(index)
                    events.setdefault(net.last + 1, ([], []))[1].append(index)
        events.pop(1 << (32 if version == 4 else 128), None)
        limits = {m for i in prefixes for m in (entries[i].valid_from, entries[i].valid_to)} - {EARLIEST, LATEST}
        self._times: NDArray[np.int64] = np.array(sorted(limits), np.int64)
        ranks = {moment: rank + 1 for rank, moment in enumerate(self._times.tolist())}
        self._width = len(ranks) + 1
        starts, keys, owners = [], [], []
        active: dict[int, int] = {}
        for segment, start in enumerate(sorted(events)):
            begins, ends = events[start]
            for index in ends:
                active[index] -= 1
                if not active[index]:
                    del active[index]
            for index in begins:
                active[index] = active.get(index, 0) + 1
            held_now = [(index, max(p for a, b, p in prefixes[index] if a <= start <= b)) for index in active]
            order = sorted(held_now, key=lambda held: _precedence(entries, held))
            starts.append(start)
            for moment, held in _pieces(order, entries):
                keys.append(segment * self._width + ranks.get(moment, 0))
                owners.append(owner(held))
        self._starts: NDArray[Any] = (
            np.array(starts, np.uint32)
            if version == 4
            else np.array([start.to_bytes(16, "big") for start in starts], "S16")
        )
        self._keys: NDArray[np.int64] = np.array(keys, np.int64)
        self._owners: NDArray[np.int32] = np.array(owners, np.int32)

    @property
    def is_empty(self) -> bool:
        """Nothing is known of any address."""
        return not self._owners.any()

    def find(self, addresses: NDArray[Any], moments: NDArray[np.int64]) -> NDArray[np.int32]:
        """The owner of each address at each time (nanoseconds since 1970).

        :param addresses: unsigned numbers of 32 bits, or texts of 16 bytes.
        """
        segments = np.searchsorted(self._starts, addresses, side="right") - 1
        if self._width == 1:
            return self._owners[segments]
        ranks = np.searchsorted(self._times, moments, side="right")
        pieces = np.searchsorted(self._keys, segments * self._width + ranks, side="right") - 1
        return self._owners[pieces]


def _precedence(entries: Sequence[Entry], held: Held) -> tuple[int, int, int]:
    """The longest prefix first; of equal ones a host before the subnet that is no larger than it."""
    index, prefix = held
    return -prefix, _ORDER[entries[index].section], index


def _pieces(order: list[Held], entries: Sequence[Entry]) -> list[tuple[int, tuple[Held, ...]]]:
    """From which moment on which of the entries hold."""
    if len(order) < 2 and all(entries[i].valid_from == EARLIEST and entries[i].valid_to == LATEST for i, _ in order):
        return [(EARLIEST, tuple(order))]
    spans = {index: (entries[index].valid_from, entries[index].valid_to) for index, _ in order}
    moments = sorted({EARLIEST, *(moment for span in spans.values() for moment in span)} - {LATEST})
    return [(m, tuple(held for held in order if spans[held[0]][0] <= m < spans[held[0]][1])) for m in moments]
