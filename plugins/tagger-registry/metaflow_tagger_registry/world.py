"""What the registries know and knew, and the entries that follow from it. Instances that did not change keep their entries."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metaflow_core.tagging import EARLIEST, LATEST, Entry, Past, Section, network
from metaflow_tagger_registry.config import RegistryConfig
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.tags import merged

__all__ = ["World"]

_SERVICE, _HOST = 102, 6


@dataclass(slots=True)
class _Held:
    """An instance that is there. :ivar since_ns: from when on. :ivar made: its entry, and what that was made of."""

    instance: Instance
    since_ns: int
    made: tuple[object, Entry] | None = None


class World:
    """Instances by registry. Safe to change from many threads while another asks for entries.

    :param registries: their names; where two claim the same port, the earlier counts.
    """

    def __init__(self, config: RegistryConfig, registries: Sequence[str]) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._live: dict[str, dict[tuple[str, str, str, str, int], _Held]] = {name: {} for name in registries}
        self._looked: dict[str, int] = {}
        self._tags: dict[tuple[str, str, str], Mapping[str, str]] = {}
        self._hosts: dict[tuple[str, str], Entry] = {}
        self._past = Past(config.history_s, config.max_history)
        self._stale: frozenset[str] = frozenset()
        self._changes = 0

    @property
    def changes(self) -> int:
        """Grows with every change."""
        return self._changes

    @property
    def count(self) -> int:
        """How many instances there are."""
        return sum(len(held) for held in self._live.values())

    def mark_stale(self, registries: frozenset[str]) -> None:
        """These have not answered for long; their services say so."""
        with self._lock:
            if registries != self._stale:
                self._stale = registries
                self._changes += 1

    def replace(self, registry: str, instances: Iterable[Instance], asked_ns: int, now_ns: int) -> None:
        """All instances of a registry: what is not among them has gone.

        :param asked_ns: when the question began, for the next one; an instance that is new since has been there from then on at most.
        """
        found = {each.key: each for each in instances}
        with self._lock:
            live, last = self._live[registry], self._looked.get(registry)
            self._looked[registry] = asked_ns
            fresh: dict[tuple[str, int], int] = {}
            for key, each in found.items():
                held = live.get(key)
                if held is not None:
                    if held.instance != each:
                        held.instance = each
                        self._changes += 1
                    continue
                # Nobody says since when those of the first look are there: for as long as is known of them.
                since = each.since_ns if 0 < each.since_ns <= now_ns else EARLIEST if last is None else last
                fresh[(each.address, each.port)] = max(since, fresh.get((each.address, each.port), EARLIEST))
                live[key] = _Held(each, since)
                self._changes += 1
            for key in [key for key in live if key not in found]:
                self._forget(live.pop(key), fresh, now_ns)

    def _forget(self, held: _Held, fresh: Mapping[tuple[str, int], int], now_ns: int) -> None:
        self._changes += 1
        # One that took over the port knows best when that was.
        until = fresh.get((held.instance.address, held.instance.port), now_ns)
        until = until if held.since_ns < until <= now_ns else now_ns
        if held.made is not None:
            self._past.end(held.made[1], until, now_ns)

    def entries(self, now_ns: int) -> list[Entry]:
        """Everything that is known. Of two that claim a port those of the past have it until they ended, then see :meth:`_rank`."""
        with self._lock:
            alone = self._alone()
            out = self._past.entries(now_ns)[::-1]
            services: set[tuple[str, str, str]] = set()
            for registry, live in self._live.items():
                order = sorted(live.values(), key=lambda held: held.instance.key)
                by_service: dict[tuple[str, str, str], list[Instance]] = {}
                for held in order:
                    of = (registry, held.instance.namespace, held.instance.service)
                    by_service.setdefault(of, []).append(held.instance)
                for of, instances in by_service.items():
                    made = merged(registry, instances, self._config, stale=registry in self._stale)
                    if self._tags.get(of) != made:
                        self._tags[of] = made
                services |= by_service.keys()
                out += [self._entry(registry, held, alone) for held in order]
            for of in self._tags.keys() - services:
                del self._tags[of]
            out += self._machines()
            return out

    def _alone(self) -> dict[str, str]:
        """Addresses that one service only has, which are not those of a machine that the registry names, with that service."""
        names: dict[str, set[str]] = {}
        machines: set[str] = set()
        for live in self._live.values():
            for held in live.values():
                names.setdefault(held.instance.address, set()).add(held.instance.service)
                if held.instance.host:
                    machines.add(held.instance.host_address)
        if not self._config.clients:
            return {}
        return {
            address: next(iter(found))
            for address, found in names.items()
            if len(found) == 1 and address not in machines
        }

    def _entry(self, registry: str, held: _Held, alone: Mapping[str, str]) -> Entry:
        each = held.instance
        tags = self._tags[(registry, each.namespace, each.service)]
        client = alone.get(each.address) == each.service
        rank = self._rank(registry, held)
        made_of = (each.service, each.address, each.port, client, rank)
        if held.made is None or held.made[0] != made_of or held.made[1].tags.get("registry_tag") is not tags:
            ports = ((each.port, each.port),) if each.port else ()
            entry = Entry(
                section=Section.SERVICES,
                name=each.service,
                identity="/".join(("registry", registry, each.namespace, each.service)),
                networks=(network(each.address),),
                type=_SERVICE,
                # port 0: rows of which it is the client
                ports=(*ports, (0, 0)) if ports and client else ports,
                tags={"registry_tag": tags},
                valid_from=held.since_ns,
                valid_to=LATEST,
                rank=rank,
            )
            held.made = made_of, entry
        return held.made[1]

    def _rank(self, registry: str, held: _Held) -> int:
        """The earlier registry's, the healthy, the youngest (in seconds) come first."""
        place = list(self._live).index(registry) * 2 + (held.instance.healthy is False)
        return (place << 40) - max(0, held.since_ns) // 1_000_000_000

    def _machines(self) -> list[Entry]:
        names: dict[str, set[str]] = {}
        for live in self._live.values():
            for held in live.values():
                if held.instance.host:
                    names.setdefault(held.instance.host_address, set()).add(held.instance.host)
        found = {(address, next(iter(each))) for address, each in names.items() if len(each) == 1}
        for key in self._hosts.keys() - found:
            del self._hosts[key]
        for address, name in sorted(found - self._hosts.keys()):
            self._hosts[(address, name)] = Entry(
                section=Section.HOSTS,
                name=name,
                networks=(network(address),),
                dictionary="host",
                type=_HOST,
                attributes={"vpc": self._config.vpc} if self._config.vpc else {},
            )
        return list(self._hosts.values())
