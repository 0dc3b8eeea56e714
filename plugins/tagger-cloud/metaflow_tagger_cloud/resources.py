"""What a cloud says of one thing with addresses, made of texts that are not trusted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from metaflow_core.tagging import Network

__all__ = ["KINDS", "Resource", "addresses", "networks", "pairs", "resource"]

KINDS = MappingProxyType(
    {"chost": 1, "router": 5, "host": 6, "dhcpgw": 9, "redis": 12, "rds": 13, "lb": 15, "natgw": 16, "subnet": 0}
)
"""Kinds of resources, with their numbers in ``auto_instance_type``."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MAX_NAME, _MAX_VALUE, _MAX_TAGS, _MAX_NETWORKS = 256, 4096, 256, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """:ivar kind: of :data:`KINDS`. :ivar id: tells it from all others of the cloud. :ivar vpc: its name, :ivar vpc_id: and id.

    :ivar private: the networks mean something inside the VPC only. :ivar tags: given to it in the cloud.
    """

    kind: str
    id: str
    name: str
    networks: tuple[Network, ...]
    region: str = ""
    zone: str = ""
    vpc: str = ""
    vpc_id: str = ""
    host: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def resource(kind: str, identity: object, name: object, found: Iterable[Network], **more: Any) -> Resource | None:
    """A resource, cut to size; None where it has no address, so that there is nothing to tell of it.

    :raises ValueError: it has no id.
    """
    owned = tuple(dict.fromkeys(found))[:_MAX_NETWORKS]
    known = _clean(identity)
    if not known:
        raise ValueError(f"a {kind} without an id")
    texts = {key: _clean(more.get(key)) for key in ("region", "zone", "vpc", "vpc_id", "host")}
    texts["vpc"] = texts["vpc"] or texts["vpc_id"]
    tags = more.get("tags") or {}
    kept = {_clean(key): _clean(value, _MAX_VALUE) for key, value in list(tags.items())[:_MAX_TAGS] if _clean(key)}
    return (
        Resource(kind=kind, id=known, name=_clean(name) or known, networks=owned, tags=kept, **texts) if owned else None
    )


def pairs(found: object, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags of a list of objects with a key and a value, or of a JSON object."""
    if isinstance(found, Mapping):
        return {str(name): "" if text is None else str(text) for name, text in found.items()}
    if not isinstance(found, list):
        return {}
    return {str(each[key]): str(each.get(value) or "") for each in found if isinstance(each, Mapping) and key in each}


def addresses(*found: object) -> list[Network]:
    """The addresses among texts; what is none is passed over, as ``networks`` with a prefix is not."""
    out: list[Network] = []
    for each in found:
        if isinstance(each, str) and "/" not in each:
            out += networks(each)
    return out


def networks(*found: object) -> list[Network]:
    """The networks and addresses among texts; what is none, or is everything, is passed over."""
    out: list[Network] = []
    for each in found:
        try:
            made = ipaddress.ip_network(str(each).strip(), strict=False) if each else None
        except ValueError:
            continue
        if made is None or made.prefixlen == 0 or made.is_multicast or made.network_address.is_unspecified:
            continue
        out.append(Network(made.version, int(made.network_address), int(made.broadcast_address), made.prefixlen))
    return out


def _clean(value: object, longest: int = _MAX_NAME) -> str:
    """A text without control characters, which would break lines and terminals."""
    return _CONTROL.sub("?", str(value)[:longest]).strip() if isinstance(value, str | int | float) else ""
