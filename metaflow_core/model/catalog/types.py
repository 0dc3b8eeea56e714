"""The types that a column can have. What each is in Arrow stands in :mod:`metaflow_core.model.catalog.arrow`."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["TYPES", "Type"]


@dataclass(frozen=True, slots=True)
class Type:
    """One type.

    :ivar family: ``int``, ``float``, ``bool``, ``text``, ``address``, ``time``, ``list`` or ``bytes``: what may be done with it.
    :ivar low: smallest value of an integer, else 0.
    :ivar high: greatest value of an integer, else 0.
    """

    name: str
    family: str
    description: str
    low: int = 0
    high: int = 0


def _types() -> dict[str, Type]:
    integers = [
        Type(f"{sign}{bits}", "int", f"{'un' if sign == 'u' else ''}signed integer of {bits} bits",
             0 if sign == "u" else -(1 << bits - 1), (1 << (bits if sign == "u" else bits - 1)) - 1)
        for sign in "ui" for bits in (8, 16, 32, 64)
    ]  # fmt: skip
    others = [
        Type("f64", "float", "real of 64 bits"),
        Type("bool", "bool", "true or false"),
        Type("string", "text", "text (UTF-8)"),
        Type("lowcard", "text", "text (UTF-8) with few different values"),
        Type("json", "text", "text that holds one JSON value"),
        Type("ip4", "address", "IPv4 address as an integer in host order"),
        Type("ip6", "address", "IPv6 address, 16 bytes in network order"),
        Type("mac", "address", "MAC address as an integer of 64 bits; the first octet is the highest"),
        Type("time_s", "time", "moment in seconds since 1970, UTC"),
        Type("time_us", "time", "moment in microseconds since 1970, UTC"),
        Type("time_ns", "time", "moment in nanoseconds since 1970, UTC"),
        Type("list_string", "list", "list of texts"),
        Type("list_f64", "list", "list of reals"),
        Type("list_u32", "list", "list of unsigned integers of 32 bits"),
        Type("list_i64", "list", "list of signed integers of 64 bits"),
        Type("binary", "bytes", "bytes"),
    ]
    return {each.name: each for each in integers + others}


TYPES = MappingProxyType(_types())
"""Every type by name; read-only."""
