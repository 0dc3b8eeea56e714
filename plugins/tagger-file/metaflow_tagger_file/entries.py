"""What a file says, checked: who owns which addresses, from when to when."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from metaflow_core.config.node import Mark

__all__ = ["ATTRIBUTES", "HOST_KINDS", "Entry", "Network", "moment_ns", "network", "port_range"]

HOST_KINDS = MappingProxyType(
    {
        "chost": 1,
        "router": 5,
        "host": 6,
        "dhcpgw": 9,
        "pod": 10,
        "redis": 12,
        "rds": 13,
        "pod_node": 14,
        "lb": 15,
        "natgw": 16,
    }
)
"""What may own an address, by the catalogue's name of the tag, with its number in ``auto_instance_type``."""

ATTRIBUTES = ("region", "az", "vpc", "host", "cluster", "namespace", "node", "workload")
"""What else may be said of an address; the longest prefix that says it decides."""

EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One subnet, host or service.

    :ivar section: ``subnets``, ``hosts`` or ``services``. :ivar kind: of a host, a name in :data:`HOST_KINDS`.
    :ivar ports: of a service, ranges of ports; empty for any. :ivar protocol: 6, 17, or 0 for any.
    :ivar attributes: names, by :data:`ATTRIBUTES`. :ivar labels: custom labels.
    :ivar valid_from: first nanosecond since 1970 at which it holds; :ivar valid_to: the first one at which it no longer does.
    """

    section: str
    name: str
    networks: tuple[Network, ...]
    mark: Mark
    kind: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    protocol: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    valid_from: int = EARLIEST
    valid_to: int = LATEST


def network(text: str) -> Network:
    """A network or an address.

    :raises ValueError: it is none, or has bits set beyond its prefix.
    """
    found = ipaddress.ip_network(text)
    return Network(found.version, int(found.network_address), int(found.broadcast_address), found.prefixlen)


def moment_ns(text: str) -> int:
    """A time such as ``2026-11-21`` or ``2026-11-21T06:30:00Z`` in nanoseconds since 1970; UTC unless it says otherwise.

    :raises ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime.fromtimestamp(0, UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def port_range(text: str) -> tuple[int, int]:
    """``443`` or ``8000-8010``.

    :raises ValueError: it is none.
    """
    low, dash, high = text.partition("-")
    first, last = int(low), int(high if dash else low)
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"ports are from 1 to 65535, found {text!r}")
    return first, last
