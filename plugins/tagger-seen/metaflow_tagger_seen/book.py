"""Which name an address had from when to when, from what was seen."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from metaflow_core.tagging import LATEST, Entry, Section, network
from metaflow_tagger_seen.sightings import Sighting

__all__ = ["NameBook"]

_HOST_TYPE = 6
_KEPT_OF_ONE = 16


class NameBook:
    """Histories of names by address (and port). A name keeps its place as long as it is seen again often enough.

    :param hold_ns: how long a name that was seen stays against another one. :param most: how many names are kept.
    """

    def __init__(self, hold_ns: int, most: int) -> None:
        self._hold_ns = hold_ns
        self._most = most
        self._open: OrderedDict[tuple[str, int], tuple[Entry, int]] = OrderedDict()
        self._past: dict[tuple[str, int], list[Entry]] = {}
        self._changed = 0

    @property
    def changed(self) -> int:
        """How many names are new since :meth:`entries` was asked."""
        return self._changed

    def see(self, sighting: Sighting) -> bool:
        """Takes note of a name; tells whether it is new for its address."""
        key = (sighting.address, sighting.port)
        held = self._open.get(key)
        if held is not None:
            entry, last = held
            if entry.name == sighting.name:
                self._open[key] = (entry, max(last, sighting.at_ns))
                self._open.move_to_end(key)
                return False
            if sighting.at_ns < last + self._hold_ns:
                return False
            past = self._past.setdefault(key, [])
            past.append(replace(entry, valid_to=max(sighting.at_ns, entry.valid_from + 1)))
            del past[:-_KEPT_OF_ONE]
        self._open[key] = (_entry(sighting), sighting.at_ns)
        self._open.move_to_end(key)
        while len(self._open) > self._most:
            forgotten, _ = self._open.popitem(last=False)
            self._past.pop(forgotten, None)
        self._changed += 1
        return True

    def entries(self) -> list[Entry]:
        """Everything that is known; the same objects as long as nothing changed about them."""
        self._changed = 0
        return [
            *(entry for key in self._past for entry in self._past[key]),
            *(entry for entry, _ in self._open.values()),
        ]

    def __len__(self) -> int:
        return len(self._open)


def _entry(sighting: Sighting) -> Entry:
    if sighting.port:
        return Entry(
            section=Section.SERVICES,
            name=sighting.name,
            networks=(network(sighting.address),),
            ports=((sighting.port, sighting.port),),
            valid_from=sighting.at_ns,
            valid_to=LATEST,
        )
    return Entry(
        section=Section.HOSTS,
        name=sighting.name,
        networks=(network(sighting.address),),
        dictionary="host",
        type=_HOST_TYPE,
        valid_from=sighting.at_ns,
        valid_to=LATEST,
    )
