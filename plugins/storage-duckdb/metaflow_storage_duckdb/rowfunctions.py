"""The row functions of :data:`metaflow_core.query.functions.ROW_FUNCTIONS` as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.native import function_for
from metaflow_storage_duckdb.types import is_text
from metaflow_storage_duckdb.values import Value, align, number, real, truth

__all__ = ["ROW_FUNCTIONS", "RowFunction", "ip4_text", "ip6_text"]

Values: TypeAlias = Sequence[Value]
RowFunction: TypeAlias = Callable[[Values, Sequence[Any]], Value]
"""Takes the arguments, and which of them are constants (None where they are none)."""

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _if(values: Values, _: Any) -> Value:
    left, right = align(values[1], values[2])
    return Value(f"(CASE WHEN {truth(values[0]).sql} THEN {left.sql} ELSE {right.sql} END)", left.type)


def _coalesce(values: Values, _: Any) -> Value:
    def both(left: Value, right: Value) -> Value:
        left, right = align(left, right)
        return Value(f"COALESCE({left.sql}, {right.sql})", left.type)

    return reduce(both, values)


def _extreme(function: str) -> RowFunction:
    def of(values: Values, _: Any) -> Value:
        def both(left: Value, right: Value) -> Value:
            left, right = align(left, right)
            some = f"{left.sql} IS NULL OR {right.sql} IS NULL"
            return Value(f"(CASE WHEN {some} THEN NULL ELSE {function}({left.sql}, {right.sql}) END)", left.type)

        return reduce(both, values)

    return of


def _abs(values: Values, _: Any) -> Value:
    value = number(values[0])
    return Value(f"abs({value.sql})", value.type)


def _of_real(function: str) -> RowFunction:
    return lambda values, _: Value(f"{function}({real(values[0]).sql})", pa.float64())


def _round(values: Values, constants: Sequence[Any]) -> Value:
    digits = int(constants[1]) if len(constants) > 1 else 0
    if abs(digits) > 300:
        raise QueryError(f"round takes from -300 to 300 digits, found {digits}")
    return Value(f"round({real(values[0]).sql}, {digits})", pa.float64())


def _sqrt(values: Values, _: Any) -> Value:
    value = real(values[0]).sql
    return Value(f"(CASE WHEN {value} < 0 THEN NULL ELSE sqrt({value}) END)", pa.float64())


def _of_text(function: str, type_: pa.DataType) -> RowFunction:
    return lambda values, _: Value(f"{function}({values[0].cast(pa.utf8()).sql})", type_)


def _concat(values: Values, _: Any) -> Value:
    return Value("(" + " || ".join(value.cast(pa.utf8()).sql for value in values) + ")", pa.utf8())


def ip4_text(value: str) -> str:
    """An IPv4 address, given as SQL of an unsigned integer, as people write it."""
    return " || '.' || ".join(f"CAST(({value} >> {shift}) & 255 AS VARCHAR)" for shift in (24, 16, 8, 0)).join("()")


def ip6_text(value: str) -> str:
    """An IPv6 address, given as SQL of a blob, as people write it."""
    return f"{function_for('ip6')}({value})"


def _to_text(values: Values, _: Any) -> Value:
    value = values[0]
    kind = value.column.type if value.column is not None else ""
    if kind == "ip4":
        return Value(ip4_text(value.sql), pa.utf8())
    if kind == "ip6" or pa.types.is_fixed_size_binary(value.type):
        return Value(ip6_text(value.sql), pa.utf8())
    if kind == "mac":
        return Value(f"{function_for('mac')}({value.sql})", pa.utf8())
    if pa.types.is_timestamp(value.type):
        return Value(f"{function_for(f'time_{value.type.unit}')}({value.sql})", pa.utf8())
    if pa.types.is_floating(value.type):
        return Value(f"{function_for('float')}({value.sql})", pa.utf8())
    if pa.types.is_list(value.type):
        raise UnsupportedQuery("a list cannot be made a text; pick one of its values")
    return value.cast(pa.utf8())


def _bucket(values: Values, constants: Sequence[Any]) -> Value:
    value = values[0]
    unit = _PER_SECOND[value.type.unit]
    step = constants[1] * unit
    offset = (constants[2] if len(constants) > 2 else 0) * unit
    if step <= 0:
        raise QueryError("the step of bucket is at least one second")
    if step >= 1 << 62 or abs(offset) >= 1 << 62:
        raise QueryError("the step of bucket is longer than all of time; take a shorter one")
    shifted = f"({value.sql} - {literals.integer(offset)})"
    step_sql = literals.integer(step)
    rest = f"((({shifted} % {step_sql}) + {step_sql}) % {step_sql})"
    # Floor, not truncation: a moment before the offset belongs to the bucket before it.
    return Value(f"({value.sql} - {rest})", value.type, value.column)


def _unix(values: Values, _: Any) -> Value:
    value = values[0]
    return Value(f"({real(value).sql} / {literals.real(_PER_SECOND[value.type.unit])})", pa.float64())


def _mask(values: Values, constants: Sequence[Any]) -> Value:
    value, bits = values[0], constants[1]
    four = bool(pa.types.is_integer(value.type))
    if not 0 <= bits <= (32 if four else 128):
        raise QueryError(f"mask takes from 0 to {32 if four else 128} bits, found {bits}")
    if not four:
        return Value(f"{function_for('mask6')}({value.sql}, {bits})", pa.utf8())
    kept = (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    network = f"({value.sql} & {literals.integer(kept, 'UINTEGER')})"
    return Value(f"({ip4_text(network)} || '/{bits}')", pa.utf8())


def _has(values: Values, _: Any) -> Value:
    wanted = values[1].cast(values[0].type.value_type)
    return Value(f"COALESCE(list_contains({values[0].sql}, {wanted.sql}), false)", pa.bool_())


def _map_at(values: Values, _: Any) -> Value:
    names, held, key = values
    found = f"list_extract({held.sql}, list_position({names.sql}, {key.cast(pa.utf8()).sql}))"
    return Value(found, held.type.value_type)


def _map_text(values: Values, _: Any) -> Value:
    kind = "map_text" if is_text(values[1].type.value_type) else "map_real"
    held = values[1] if kind == "map_text" else Value(f"CAST({values[1].sql} AS DOUBLE[])", values[1].type)
    return Value(f"{function_for(kind)}({values[0].sql}, {held.sql})", pa.utf8())


ROW_FUNCTIONS: MappingProxyType[str, RowFunction] = MappingProxyType(
    {
        "if": _if,
        "coalesce": _coalesce,
        "abs": _abs,
        "floor": _of_real("floor"),
        "ceil": _of_real("ceil"),
        "round": _round,
        "sqrt": _sqrt,
        "least": _extreme("least"),
        "greatest": _extreme("greatest"),
        "lower": _of_text("lower", pa.utf8()),
        "upper": _of_text("upper", pa.utf8()),
        "length": _of_text("length", pa.int64()),
        "concat": _concat,
        "to_text": _to_text,
        "bucket": _bucket,
        "unix": _unix,
        "mask": _mask,
        "has": _has,
        "map_at": _map_at,
        "map_text": _map_text,
    }
)
"""Row functions by name; read-only."""
