"""The machine's network interfaces, from /sys/class/net."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Interface", "choose", "list_interfaces"]

# linux/if_arp.h -> link type of the pcap registry
_ARPHRD_TO_LINK = {1: 1, 772: 1, 65534: 12, 768: 12, 776: 12, 512: 12}
_LOOPBACK = 772
_IFF_UP = 0x1


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface.

    :ivar name: as the kernel calls it. :ivar index: its number, which changes when it is made anew.
    :ivar link_type: number of the pcap registry, None for a kind of link that cannot be captured here.
    """

    name: str
    index: int
    link_type: int | None
    is_loopback: bool
    is_up: bool


def list_interfaces(root: Path = Path("/sys/class/net")) -> list[Interface]:
    """Every interface, by name; one that vanishes while being read is left out."""
    found: list[Interface] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            kind = int((folder / "type").read_text())
            index = int((folder / "ifindex").read_text())
            flags = int((folder / "flags").read_text(), 16)
        except (OSError, ValueError):
            continue
        found.append(Interface(folder.name, index, _ARPHRD_TO_LINK.get(kind), kind == _LOOPBACK, bool(flags & _IFF_UP)))
    return found


def choose(patterns: Sequence[str], present: Sequence[Interface]) -> list[Interface]:
    """The interfaces that are up, can be captured, and match a pattern."""
    return [
        interface
        for interface in present
        if interface.is_up
        and interface.link_type is not None
        and any(fnmatch.fnmatchcase(interface.name, pattern) for pattern in patterns)
    ]
