"""Owners and ports to services: for each owner the ports from 0 to 65535 are cut where another service begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.entries import Entry
from metaflow_core.tagging.owners import SERVICE, Held, Owner

__all__ = ["Ports"]

_PORTS = 1 << 16
_TCP, _UDP = 6, 17
_WHOLE: list[tuple[int, int | None]] = [(0, None)]


class Ports:
    """The service of each owner, port and protocol.

    :param ids: the number of each entry that is a service.
    """

    def __init__(self, owners: Sequence[Owner], entries: Sequence[Entry], ids: dict[int, int]) -> None:
        keys: list[int] = []
        kinds: list[int] = []
        numbers: list[int] = []
        named: list[int] = []
        for index, owner in enumerate(owners):
            for udp in (0, 1):
                # most owners have no services: nothing to cut
                rules = _rules(owner.services, entries, _UDP if udp else _TCP) if owner.services else []
                for start, entry in _cuts(rules) if rules else _WHOLE:
                    keys.append((index * 2 + udp) * _PORTS + start)
                    kind, number = (
                        ((entries[entry].type or SERVICE), ids[entry]) if entry is not None else owner.service
                    )
                    kinds.append(kind)
                    numbers.append(number)
                    named.append(ids[entry] if entry is not None else 0)
        self._keys: NDArray[np.int64] = np.array(keys, np.int64)
        self._kinds: NDArray[np.uint8] = np.array(kinds, np.uint8)
        self._numbers: NDArray[np.uint32] = np.array(numbers, np.uint32)
        self._named: NDArray[np.uint32] = np.array(named, np.uint32)
        self._simple = len(keys) == 2 * len(owners)

    def find(
        self, owners: NDArray[np.int32], ports: NDArray[np.uint16] | None, protocols: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32]]:
        """Kind and number of the service of each row, and the number of the service that an entry names (0 for none).

        :param ports: None where the row is not about the end that has the port: only services of any port are meant.
        """
        at = owners.astype(np.int64) * 2
        if protocols is not None:
            at += protocols == _UDP
        if not self._simple:
            at *= _PORTS
            if ports is not None:
                at += ports
            at = np.searchsorted(self._keys, at, side="right") - 1
        return self._kinds[at], self._numbers[at], self._named[at]


def _rules(services: tuple[Held, ...], entries: Sequence[Entry], protocol: int) -> list[tuple[int, int, int]]:
    """Ranges of ports with their entries, the most exact first: the longest prefix, then the fewest ports, then a protocol."""
    out = [
        (-prefix, high - low, entries[index].protocol == 0, low, high, index)
        for index, prefix in services
        if entries[index].protocol in (0, protocol)
        for low, high in entries[index].ports or ((0, _PORTS - 1),)
    ]
    return [(low, high, index) for _, _, _, low, high, index in sorted(out)]


def _cuts(rules: list[tuple[int, int, int]]) -> list[tuple[int, int | None]]:
    """From which port on which entry holds."""
    starts = sorted({0, *(low for low, _, _ in rules), *(high + 1 for _, high, _ in rules if high < _PORTS - 1)})
    out: list[tuple[int, int | None]] = []
    for start in starts:
        entry = next((index for low, high, index in rules if low <= start <= high), None)
        if not out or out[-1][1] != entry:
            out.append((start, entry))
    return out
