"""Types of the catalogue as types of ClickHouse."""

from __future__ import annotations

from types import MappingProxyType

from metaflow_core.model.catalog import Column, Table

__all__ = ["HIDDEN", "arrow_name", "column_type", "stored_type", "widened"]

_TYPES = MappingProxyType(
    {
        **{f"{sign}{bits}": f"{'U' if sign == 'u' else ''}Int{bits}" for sign in "ui" for bits in (8, 16, 32, 64)},
        "f64": "Float64",
        "bool": "Bool",
        "string": "String",
        "lowcard": "LowCardinality(String)",
        "json": "String",
        "binary": "String",
        "ip4": "IPv4",
        "ip6": "IPv6",
        "mac": "UInt64",
        "time_s": "DateTime('UTC')",
        "time_us": "DateTime64(6, 'UTC')",
        "time_ns": "DateTime64(9, 'UTC')",
        "list_string": "Array(String)",
        "list_f64": "Array(Float64)",
        "list_u32": "Array(UInt32)",
        "list_i64": "Array(Int64)",
    }
)

HIDDEN = MappingProxyType({"_batch": "UInt128", "_stored": "DateTime('UTC')"})
"""Columns that every table has besides the catalogue's: which batch a row came with, and when it was stored."""

_ORDER = ("8", "16", "32", "64")


def column_type(column: Column) -> str:
    """The type of a column in a table that rows are written to. Lists cannot be missing: they are empty instead."""
    plain = _TYPES[column.type]
    if column.absent != "null" or column.type.startswith("list_"):
        return plain
    return "LowCardinality(Nullable(String))" if column.type == "lowcard" else f"Nullable({plain})"


def stored_type(column: Column, table: Table) -> str:
    """The type of a column in this table. In a table that ClickHouse rolls up, metrics are states that merge."""
    plain = column_type(column)
    if not table.rolled_from or not column.roll:
        return plain
    if column.roll == "sum":
        wide = "Float64" if column.type == "f64" else "UInt64" if column.type.startswith("u") else "Int64"
        return f"SimpleAggregateFunction(sum, {wide})"
    return f"SimpleAggregateFunction({'max' if column.roll == 'max' else 'anyLast'}, {plain})"


def arrow_name(type_: str) -> str:
    """The type behind a state that merges."""
    return type_.partition(", ")[2][:-1] if type_.startswith("SimpleAggregateFunction(") else type_


def widened(found: str, wanted: str) -> bool:
    """Whether every value of the type found is one of the type wanted, so that the column can be changed in place."""
    found, wanted = arrow_name(found), arrow_name(wanted)
    if wanted.startswith("Nullable("):
        return _wider(
            found.removeprefix("Nullable(").rstrip(")") if found.startswith("Nullable(") else found, wanted[9:-1]
        )
    if wanted == "LowCardinality(Nullable(String))":
        return found in ("LowCardinality(String)", "String", "Nullable(String)")
    return _wider(found, wanted)


def _wider(found: str, wanted: str) -> bool:
    if found == wanted or {found, wanted} == {"String", "LowCardinality(String)"}:
        return True
    for sign in ("UInt", "Int"):
        if found.startswith(sign) and wanted.startswith(sign):
            return _ORDER.index(found.removeprefix(sign)) < _ORDER.index(wanted.removeprefix(sign))
    return bool(found.startswith("UInt") and wanted.startswith("Int")) and (
        _ORDER.index(found.removeprefix("UInt")) < _ORDER.index(wanted.removeprefix("Int"))
    )
