"""What a file says, checked: who owns which addresses, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from metaflow_core.config.node import Mark
from metaflow_core.tagging import Entry

__all__ = ["HOST_KINDS", "FileEntry", "moment_ns", "port_range"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry(Entry):
    """An entry with its place in a file."""

    mark: Mark


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
