"""Which networks hold an address: one look into a table for each length of prefix that occurs."""

from __future__ import annotations

from metaflow_core.tagging.entries import Network

__all__ = ["Covers"]


class Covers:
    """Networks by slot; a slot is the number of the entry that owns them.

    :param bits: of an address.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._tables: dict[int, dict[int, tuple[int, ...]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._odd: list[tuple[Network, int]] = []

    def add(self, slot: int, net: Network) -> None:
        """The slot owns a network."""
        if not self._is_plain(net):
            self._odd.append((net, slot))
            return
        if net.prefix not in self._tables:
            self._tables[net.prefix] = {}
            self._lengths = tuple(sorted(self._tables, reverse=True))
        table, key = self._tables[net.prefix], net.first >> (self._bits - net.prefix)
        table[key] = (*table.get(key, ()), slot)

    def remove(self, slot: int, net: Network) -> None:
        """The slot owns it no longer."""
        if not self._is_plain(net):
            self._odd.remove((net, slot))
            return
        table, key = self._tables[net.prefix], net.first >> (self._bits - net.prefix)
        left = list(table[key])
        left.remove(slot)
        if left:
            table[key] = tuple(left)
            return
        del table[key]
        if not table:
            del self._tables[net.prefix]
            self._lengths = tuple(sorted(self._tables, reverse=True))

    def at(self, address: int) -> dict[int, int]:
        """The slots that own an address, with the length of the longest prefix by which each does."""
        found: dict[int, int] = {}
        for length in self._lengths:
            for slot in self._tables[length].get(address >> (self._bits - length), ()):
                found.setdefault(slot, length)
        for net, slot in self._odd:
            if net.first <= address <= net.last:
                found[slot] = max(found.get(slot, 0), net.prefix)
        return found

    def _is_plain(self, net: Network) -> bool:
        """Whether the prefix says all of it; ranges of addresses that somebody made by hand need not be so."""
        size = 1 << (self._bits - net.prefix)
        return net.last - net.first + 1 == size and net.first % size == 0
