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
        # Most networks have one owner: its slot alone takes no room of its own.
        self._tables: dict[int, dict[int, int | tuple[int, ...]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._odd: list[tuple[Network, int]] = []
        self._odd_bounds: dict[int, int] = {}

    def add(self, slot: int, net: Network) -> None:
        """The slot owns a network."""
        if not self._is_plain(net):
            self._odd.append((net, slot))
            for bound in (net.first, net.last + 1):
                self._odd_bounds[bound] = self._odd_bounds.get(bound, 0) + 1
            return
        if net.prefix not in self._tables:
            self._tables[net.prefix] = {}
            self._lengths = tuple(sorted(self._tables, reverse=True))
        table, key = self._tables[net.prefix], self._key(net)
        held = table.get(key)
        table[key] = slot if held is None else (*_several(held), slot)

    def remove(self, slot: int, net: Network) -> None:
        """The slot owns it no longer."""
        if not self._is_plain(net):
            self._odd.remove((net, slot))
            for bound in (net.first, net.last + 1):
                self._odd_bounds[bound] -= 1
                if not self._odd_bounds[bound]:
                    del self._odd_bounds[bound]
            return
        table, key = self._tables[net.prefix], self._key(net)
        left = list(_several(table[key]))
        left.remove(slot)
        if left:
            table[key] = tuple(left) if len(left) > 1 else left[0]
            return
        del table[key]
        if not table:
            del self._tables[net.prefix]
            self._lengths = tuple(sorted(self._tables, reverse=True))

    def of(self, net: Network) -> tuple[int, ...]:
        """The slots that own exactly this network."""
        if not self._is_plain(net):
            return tuple(slot for each, slot in self._odd if each == net)
        return _several(self._tables.get(net.prefix, {}).get(self._key(net), ()))

    def at(self, address: int) -> dict[int, int]:
        """The slots that own an address, with the length of the longest prefix by which each does."""
        found: dict[int, int] = {}
        for length in self._lengths:
            for slot in _several(self._tables[length].get(address >> (self._bits - length), ())):
                found.setdefault(slot, length)
        for net, slot in self._odd:
            if net.first <= address <= net.last:
                found[slot] = max(found.get(slot, 0), net.prefix)
        return found

    def is_bound(self, address: int) -> bool:
        """Whether a network begins at an address, or ends before it."""
        for length in self._lengths:
            shift = self._bits - length
            key = address >> shift
            if key << shift == address and (key in self._tables[length] or key - 1 in self._tables[length]):
                return True
        return address in self._odd_bounds

    def _key(self, net: Network) -> int:
        # of a single address the number that there is already, instead of another one like it
        return net.first >> (self._bits - net.prefix) if net.prefix < self._bits else net.first

    def _is_plain(self, net: Network) -> bool:
        """Whether the prefix says all of it; ranges of addresses that somebody made by hand need not be so."""
        size = 1 << (self._bits - net.prefix)
        return net.last - net.first + 1 == size and net.first % size == 0


def _several(held: int | tuple[int, ...]) -> tuple[int, ...]:
    return (held,) if isinstance(held, int) else held
