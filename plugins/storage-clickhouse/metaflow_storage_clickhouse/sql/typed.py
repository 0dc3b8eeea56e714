"""A piece of SQL and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metaflow_core.model.catalog import Column
from metaflow_core.model.catalog.types import TYPES

__all__ = ["Typed", "instant", "integral", "number", "once", "raw", "real"]

_SHORT = 120
_PER_SECOND = {"time_s": 1, "time_us": 1_000_000, "time_ns": 1_000_000_000}
_FROM_RAW = {
    "time_s": "toDateTime({}, 'UTC')",
    "time_us": "fromUnixTimestamp64Micro({}, 'UTC')",
    "time_ns": "fromUnixTimestamp64Nano({}, 'UTC')",
}
_TO_RAW = {
    "time_s": "toInt64(toUnixTimestamp({}))",
    "time_us": "toUnixTimestamp64Micro({})",
    "time_ns": "toUnixTimestamp64Nano({})",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression.

    :ivar sql: its text; safe to stand anywhere an operand may (calls, names and constants, never bare operators).
    :ivar type: a name of the catalogue's types; ``null`` for a bare NULL, ``list`` for a list of unknown elements.
    :ivar nullable: it may be missing.
    :ivar column: the catalogue's column, where it is one untouched.
    """

    sql: str
    type: str
    nullable: bool = False
    column: Column | None = None

    @property
    def family(self) -> str:
        """``int``, ``float``, ``bool``, ``text``, ``time``, ``address``, ``list``, ``bytes`` or ``null``."""
        return TYPES[self.type].family if self.type in TYPES else self.type

    @property
    def per_second(self) -> int:
        """Units of a time in a second."""
        return _PER_SECOND[self.type]


def raw(value: Typed) -> Typed:
    """A time as the whole number of its own unit; anything else as it is."""
    if value.family != "time":
        return value
    return Typed(_TO_RAW[value.type].format(value.sql), "i64", value.nullable)


def instant(sql: str, type_: str, *, nullable: bool = False) -> Typed:
    """A time of the given type from a whole number of its unit."""
    return Typed(_FROM_RAW[type_].format(sql), type_, nullable)


def integral(value: Typed) -> Typed:
    """Addresses and times as the numbers that they are stored as; anything else as it is."""
    if value.type == "ip4":
        return Typed(f"toUInt32({value.sql})", "u32", value.nullable)
    return raw(value)


def number(value: Typed) -> Typed:
    """As a signed whole number of 64 bits, or a real."""
    if value.type == "f64":
        return value
    if value.type == "null":
        return Typed("CAST(NULL, 'Nullable(Int64)')", "i64", nullable=True)
    value = integral(value)
    return value if value.type == "i64" else Typed(f"toInt64({value.sql})", "i64", value.nullable)


def real(value: Typed) -> Typed:
    """As a real."""
    if value.type == "f64":
        return value
    if value.type == "null":
        return Typed("CAST(NULL, 'Nullable(Float64)')", "f64", nullable=True)
    return Typed(f"toFloat64({integral(value).sql})", "f64", value.nullable)


def once(value: str, body: Callable[[str], str], name: str = "x") -> str:
    """SQL that uses an expression several times but holds a long one only once: nested expressions would double at each level.

    :param name: of the variable that stands for it; another one for each level of one function.
    """
    if len(value) <= _SHORT:
        return body(value)
    variable = f"`#{name}`"
    return f"arrayElement(arrayMap({variable} -> {body(variable)}, [{value}]), 1)"
