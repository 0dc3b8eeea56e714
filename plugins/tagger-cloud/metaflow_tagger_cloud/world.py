"""What the clouds have and had, and the entries that follow from it. Resources that did not change keep their entries."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from metaflow_core.tagging import EARLIEST, Entry, Network, Past, Section
from metaflow_tagger_cloud.config import CloudConfig
from metaflow_tagger_cloud.resources import KINDS, Resource

__all__ = ["World"]


@dataclass(slots=True)
class _Held:
    """A resource that is there. :ivar since_ns: from when on. :ivar made: its entry, and the networks that are its alone."""

    resource: Resource
    since_ns: int
    made: tuple[tuple[Network, ...], Entry] | None = None


class World:
    """Resources by account and part. Safe to change from many threads while another asks for entries.

    :ivar ambiguous: resources of different VPCs that own the same addresses; rows do not say in which VPC they were seen, so that
        such addresses are nobody's.
    """

    def __init__(self, config: CloudConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._live: dict[str, dict[tuple[str, str], _Held]] = {}
        self._looked: dict[str, int] = {}
        self._past = Past(config.history_s, config.max_history)
        self._changes = 0
        self.ambiguous: list[str] = []

    @property
    def changes(self) -> int:
        """Grows with every change."""
        return self._changes

    @property
    def count(self) -> int:
        """How many resources there are."""
        return sum(len(held) for held in self._live.values())

    def replace(self, part: str, resources: Iterable[Resource], asked_ns: int, now_ns: int) -> None:
        """All resources of a part (a region of an account): what is not among them has gone.

        :param asked_ns: when the reading began; what is new at the next one has been there from then on at most.
        """
        only = set(self._config.vpcs)
        found = {(r.kind, r.id): r for r in resources if not only or r.vpc in only or r.vpc_id in only}
        with self._lock:
            live, last = self._live.setdefault(part, {}), self._looked.get(part, EARLIEST)
            self._looked[part] = asked_ns
            for key, each in found.items():
                held = live.get(key)
                if held is not None and held.resource == each:
                    continue
                self._changes += 1
                if held is not None and held.resource.networks == each.networks:
                    # other names and tags: the same owner of the same addresses
                    held.resource, held.made = each, None
                    continue
                if held is not None:
                    self._forget(held, now_ns)
                live[key] = _Held(each, last)
            for key in [key for key in live if key not in found]:
                self._changes += 1
                self._forget(live.pop(key), now_ns)

    def _forget(self, held: _Held, now_ns: int) -> None:
        if held.made is not None:
            self._past.end(held.made[1], now_ns, now_ns)

    def entries(self, now_ns: int) -> list[Entry]:
        """Everything that is known."""
        with self._lock:
            held = [each for live in self._live.values() for each in live.values()]
            claimed = _shared(held)
            self.ambiguous = sorted({name for names in claimed.values() for name in names})
            out = self._past.entries(now_ns)
            for each in held:
                own = tuple(
                    net for net in each.resource.networks if (each.resource.kind == "subnet", net) not in claimed
                )
                if own and (each.made is None or each.made[0] != own):
                    each.made = own, self._entry(each, own)
                if own and each.made is not None:
                    out.append(each.made[1])
            return out

    def _entry(self, held: _Held, own: tuple[Network, ...]) -> Entry:
        of = held.resource
        place = {"region": of.region, "az": of.zone, "vpc": of.vpc, "host": of.host}
        subnet = of.kind == "subnet"
        tags = _cut(of.tags, self._config.max_tag_bytes) if self._config.cloud_tags and not subnet else {}
        return Entry(
            section=Section.SUBNETS if subnet else Section.HOSTS,
            name=of.name,
            identity=f"cloud/{of.kind}/{of.id}",
            networks=own,
            dictionary="" if subnet else of.kind,
            type=KINDS[of.kind],
            attributes={key: text for key, text in place.items() if text},
            tags={"cloud_tag": tags} if tags else {},
            valid_from=held.since_ns,
        )


def _shared(held: Iterable[_Held]) -> dict[tuple[bool, Network], list[str]]:
    """Networks that resources of more than one VPC own, with a sentence for each pair of VPCs."""
    owners: dict[tuple[bool, Network], set[str]] = {}
    names: dict[str, str] = {}
    for each in held:
        of = each.resource
        names[of.vpc_id] = of.vpc
        for net in of.networks:
            owners.setdefault((of.kind == "subnet", net), set()).add(of.vpc_id)
    # An account that is listed twice, or a shared VPC, has the same id, and does no harm.
    return {
        key: [" and ".join(sorted(names[vpc] or "no VPC" for vpc in vpcs))]
        for key, vpcs in owners.items()
        if len(vpcs - {""}) > 1
    }


def _cut(tags: Mapping[str, str], most: int) -> dict[str, str]:
    """The longest are left out until the rest fits."""
    kept = dict(tags)
    size = {key: len(key.encode()) + len(text.encode()) for key, text in kept.items()}
    total = sum(size.values())
    for key in sorted(size, key=lambda each: (-size[each], each)):
        if total <= most:
            break
        total -= size[key]
        del kept[key]
    return kept
