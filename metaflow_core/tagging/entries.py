"""What a tagger knows: who owns which addresses and ports, from when to when."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

__all__ = ["ATTRIBUTES", "EARLIEST", "LATEST", "Entry", "Network", "Section", "network"]

ATTRIBUTES = ("region", "az", "vpc", "host", "cluster", "namespace", "node", "workload")
"""What else may be said of an address; the longest prefix that says it decides."""

EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_TAGS: Mapping[str, Mapping[str, str]] = MappingProxyType({})


class Section(StrEnum):
    """What an entry is about."""

    SUBNETS = "subnets"
    HOSTS = "hosts"
    SERVICES = "services"


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses from ``first`` to ``last``, as numbers, of IP ``version``."""

    version: int
    first: int
    last: int
    prefix: int

    def __str__(self) -> str:
        kind = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        return f"{kind(self.first)}/{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One subnet, host or service.

    :ivar section: what it is. :ivar name: shown to people. :ivar networks: the addresses that it owns.
    :ivar identity: tells it from all others of its kind, for as long as its numbers are to be found; the name where it is empty.
    :ivar dictionary: of a host, the catalogue's dictionary that holds its name (``pod``, ``chost``, ...).
    :ivar type: of a host its number in ``auto_instance_type``, of a service that in ``auto_service_type``; 0 for the plain one.
    :ivar group_type: number in ``auto_service_type`` of the workload that ``attributes`` names; 0 for the plain one.
    :ivar ports: of a service, ranges of ports; empty for any. :ivar protocol: 6, 17, or 0 for any.
    :ivar attributes: names, by :data:`ATTRIBUTES`.
    :ivar tags: custom tags by the dictionary that keeps them (``pod_label``, ``cloud_tag``, ...): name to value.
    :ivar rank: of several that own an address by equal prefixes the lowest comes first; of equal ranks, what was told first.
    :ivar valid_from: first nanosecond since 1970 at which it holds; :ivar valid_to: the first one at which it no longer does.
    """

    section: Section
    name: str
    networks: tuple[Network, ...]
    identity: str = ""
    dictionary: str = ""
    type: int = 0
    group_type: int = 0
    ports: tuple[tuple[int, int], ...] = ()
    protocol: int = 0
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NO_TAGS)
    rank: int = 0
    valid_from: int = EARLIEST
    valid_to: int = LATEST


def network(text: str) -> Network:
    """A network or an address.

    :raises ValueError: it is none, or has bits set beyond its prefix.
    """
    found = ipaddress.ip_network(text)
    first, last = int(found.network_address), int(found.broadcast_address)
    # of one address one number, not two that are equal: there are as many as there are pods
    return Network(found.version, first, last if last != first else first, found.prefixlen)
