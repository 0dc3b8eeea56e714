"""Owners and ports to services: for each owner the ports from 0 to 65535 are cut where another service begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.grown import Grown
from metaflow_core.tagging.held import Held, Slots
from metaflow_core.tagging.search import last_not_after

__all__ = ["PortTable", "Ports"]

SERVICE = 102

_PORTS = 1 << 16
_TCP, _UDP = 6, 17
_WHOLE: list[tuple[int, int | None]] = [(0, None)]


class Ports:
    """The service of each owner, port and protocol. Owners are added one after the other.

    :param slots: what is known.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._new: tuple[list[int], ...] = ([], [], [], [], [])
        self._columns = tuple(Grown(each) for each in (np.int64, np.int32, np.uint8, np.uint32, np.uint32))
        self._cuts = 0

    def add(self, services: Sequence[Held], otherwise: tuple[int, int]) -> None:
        """The next owner.

        :param services: the entries of services that hold its addresses. :param otherwise: kind and number of the service where no port
            says more.
        """
        begins, *columns = self._new
        for protocol in (_TCP, _UDP):
            begins.append(self._cuts)
            # most owners have no services: nothing to cut
            cuts = _cuts(_rules(services, self._slots, protocol)) if services else _WHOLE
            for start, slot in cuts:
                kind, number, named = *otherwise, 0
                if slot is not None:
                    number = named = self._slots.own[slot]
                    kind = self._slots.entry(slot).type or SERVICE
                for column, value in zip(columns, (start, kind, number, named), strict=True):
                    column.append(value)
            self._cuts += len(cuts)

    def table(self) -> PortTable:
        """The services of all owners so far."""
        for column, values in zip(self._columns, self._new, strict=True):
            column.extend(values)
            values.clear()
        begins, starts, kinds, numbers, named = (column.view() for column in self._columns)
        return PortTable(np.append(begins, self._cuts), starts, kinds, numbers, named)


@dataclass(frozen=True, slots=True)
class PortTable:
    """For each owner, over TCP and over UDP, the ports from which on a service holds; never changed.

    :ivar begins: where the cuts of each owner and protocol begin.
    """

    begins: NDArray[np.int64]
    starts: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    numbers: NDArray[np.uint32]
    named: NDArray[np.uint32]

    def find(
        self, owners: NDArray[np.int32], ports: NDArray[np.uint16] | None, protocols: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32]]:
        """Kind and number of the service of each row, and the number of the service that an entry names (0 for none).

        :param ports: None where the row is not about the end that has the port: only services of any port are meant.
        """
        at = owners.astype(np.int64) * 2
        if protocols is not None:
            at += protocols == _UDP
        wanted = np.zeros(owners.size, np.int32) if ports is None else ports.astype(np.int32)
        at = last_not_after(self.starts, self.begins, at, wanted)
        return self.kinds[at], self.numbers[at], self.named[at]


def _rules(services: Sequence[Held], slots: Slots, protocol: int) -> list[tuple[int, int, int]]:
    """Ranges of ports with their slots, the most exact first: the longest prefix, then the fewest ports, then a protocol."""
    out = []
    for slot, prefix in services:
        entry = slots.entry(slot)
        if entry.protocol in (0, protocol):
            out += [
                (-prefix, high - low, entry.protocol == 0, entry.rank, low, high, slot)
                for low, high in entry.ports or ((0, _PORTS - 1),)
            ]
    return [(low, high, slot) for _, _, _, _, low, high, slot in sorted(out)]


def _cuts(rules: list[tuple[int, int, int]]) -> list[tuple[int, int | None]]:
    """From which port on which entry holds."""
    starts = sorted({0, *(low for low, _, _ in rules), *(high + 1 for _, high, _ in rules if high < _PORTS - 1)})
    out: list[tuple[int, int | None]] = []
    for start in starts:
        entry = next((index for low, high, index in rules if low <= start <= high), None)
        if not out or out[-1][1] != entry:
            out.append((start, entry))
    return out
