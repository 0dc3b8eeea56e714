"""What a registry says of one instance of a service, made of bytes that are not trusted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Instance", "Refused", "instance", "texts"]

_MAX_NAME, _MAX_KEY, _MAX_VALUE, _MAX_ITEMS = 256, 128, 4096, 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Refused(ValueError):
    """An instance cannot be used. :ivar reason: of the counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance.

    :ivar service: its name. :ivar namespace: what tells services of one name apart (datacenter, group, ...).
    :ivar id: tells it from the service's other instances. :ivar address: IPv4 or IPv6. :ivar port: 1 to 65535, 0 for any.
    :ivar host: name of its machine, :ivar host_address: and that machine's address; empty where the registry does not say.
    :ivar healthy: None where the registry does not say. :ivar since_ns: when it registered, 0 if unknown.
    :ivar metadata: texts. :ivar interfaces: APIs that it serves. :ivar methods: of these.
    """

    service: str
    address: str
    port: int
    namespace: str = ""
    id: str = ""
    host: str = ""
    host_address: str = ""
    healthy: bool | None = None
    since_ns: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Tells it from all others of its registry."""
        return self.namespace, self.service, self.id, self.address, self.port


def instance(*, service: object, address: object, port: object, **more: Any) -> Instance:
    """An instance, checked and cut to size.

    :raises Refused: it has no name, no address, or no port.
    """
    name = _clean(service, _MAX_NAME)
    if not name:
        raise Refused("no_name")
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise Refused("bad_port")
    try:
        number = int(port)
    except ValueError:
        raise Refused("bad_port") from None
    if not 0 <= number <= 65535:
        raise Refused("bad_port")
    for key in ("namespace", "id", "host"):
        more[key] = _clean(more.get(key, ""), _MAX_NAME)
    host_address = more.get("host_address") or ""
    if host_address or more["host"]:
        try:
            more["host_address"] = _address(host_address)
        except Refused:
            more["host"], more["host_address"] = "", ""
    for key in ("interfaces", "methods"):
        found = (_clean(each, _MAX_NAME) for each in more.get(key) or ())
        more[key] = tuple(sorted({each for each in found if each}))[:_MAX_ITEMS]
    more["metadata"] = texts(more.get("metadata"))
    return Instance(service=name, address=_address(address), port=number, **more)


def texts(found: object) -> dict[str, str]:
    """Names with texts of what should be a JSON object; anything else in it is written as text, nothing at all is no error."""
    if not isinstance(found, Mapping):
        return {}
    out: dict[str, str] = {}
    for key, value in found.items():
        if len(out) == _MAX_ITEMS:
            break
        if value is None or value == "" or isinstance(value, Mapping | list):
            continue
        name = _clean(key, _MAX_KEY)
        if name:
            out[name] = _clean(value, _MAX_VALUE)
    return out


def _clean(value: object, longest: int) -> str:
    """A text without control characters, which would break lines and terminals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, str | int | float) else ""
    return _CONTROL.sub("?", text[:longest]).strip()


def _address(value: object) -> str:
    text = str(value).strip().strip("[]") if isinstance(value, str) else ""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise Refused("not_an_address") from None
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
        if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
            raise Refused("not_an_address")
    if found.is_unspecified or found.is_multicast:
        raise Refused("not_an_address")
    return str(found)
