"""A value on its way into SQL, with its type; and the conversions that plans mean by arithmetic and comparison.

They say the same as :mod:`metaflow_core.query.columns.numbers` says for Arrow columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Column
from metaflow_core.model.expression import Value as Constant
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.types import bounds, is_text, sql_type

__all__ = ["Value", "align", "arithmetic", "compare", "compare_with", "constant", "number", "real", "truth"]

_MIRRORED = ("!=", ">", ">=")
_SQL_OPS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True, slots=True)
class Value:
    """SQL of one value a row.

    :ivar sql: safe to stand anywhere an operand can. :ivar type: what it is. :ivar column: the catalogue's column, where it is one.
    """

    sql: str
    type: pa.DataType
    column: Column | None = None

    def cast(self, type_: pa.DataType) -> Value:
        """Of another type."""
        if sql_type(self.type) == sql_type(type_) and not pa.types.is_null(self.type):
            return Value(self.sql, type_)
        return Value(f"CAST({self.sql} AS {sql_type(type_)})", type_)


def constant(value: Constant) -> Value:
    """A literal.

    :raises QueryError: a whole number is beyond 64 bits.
    """
    match value:
        case None:
            return Value("NULL", pa.null())
        case bool():
            return Value(literals.boolean(value), pa.bool_())
        case int():
            low, high = bounds(pa.int64())
            if low <= value <= high:
                return Value(literals.integer(value), pa.int64())
            if 0 <= value <= bounds(pa.uint64())[1]:
                return Value(literals.integer(value, "UBIGINT"), pa.uint64())
            raise QueryError(f"{value} is beyond whole numbers of 64 bits; write it as a real, as in 1.0e20")
        case float():
            return Value(literals.real(value), pa.float64())
        case str():
            return Value(literals.text(value), pa.utf8())
        case bytes():
            return Value(literals.blob(value), pa.binary())


def truth(value: Value) -> Value:
    """As a condition."""
    return value.cast(pa.bool_())


def number(value: Value) -> Value:
    """As a whole number of 64 bits or a real."""
    return value.cast(pa.float64() if pa.types.is_floating(value.type) else pa.int64())


def real(value: Value) -> Value:
    """As a real; a condition counts as 0 or 1."""
    if pa.types.is_boolean(value.type):
        value = value.cast(pa.int64())
    return value.cast(pa.float64())


def align(left: Value, right: Value) -> tuple[Value, Value]:
    """Two values in one type that holds both."""
    if left.type == right.type:
        return left, right
    if pa.types.is_null(left.type):
        return left.cast(right.type), right
    if pa.types.is_null(right.type):
        return left, right.cast(left.type)
    if is_text(left.type) or is_text(right.type):
        return left.cast(pa.utf8()), right.cast(pa.utf8())
    if pa.types.is_floating(left.type) or pa.types.is_floating(right.type):
        return real(left), real(right)
    if _is_blob(left.type) and _is_blob(right.type):
        return left.cast(pa.binary()), right.cast(pa.binary())
    return number(left), number(right)


def _is_blob(type_: pa.DataType) -> bool:
    return bool(pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_))


def arithmetic(op: str, left: Value, right: Value) -> Value:
    """``+ - * / %``; division by 0 is missing."""
    if op == "/" or pa.types.is_floating(left.type) or pa.types.is_floating(right.type):
        left, right, type_ = real(left), real(right), pa.float64()
    else:
        left, right, type_ = number(left), number(right), pa.int64()
    if op == "/":
        return Value(f"({left.sql} / NULLIF({right.sql}, 0))", type_)
    if op == "%":
        if type_ == pa.int64():
            return Value(f"({left.sql} % NULLIF({right.sql}, 0))", type_)
        rest = f"({left.sql} - {right.sql} * trunc({left.sql} / NULLIF({right.sql}, 0)))"
        return Value(rest, type_)
    return Value(f"({left.sql} {op} {right.sql})", type_)


def compare(op: str, left: Value, right: Value) -> Value:
    """A comparison of two values."""
    if left.type != right.type and {left.type, right.type} & {pa.uint64()} and _whole(left) and _whole(right):
        # Neither type of 64 bits holds the other.
        sides = [f"CAST({each.sql} AS HUGEINT)" for each in (left, right)]
        return Value(f"({sides[0]} {_SQL_OPS[op]} {sides[1]})", pa.bool_())
    left, right = align(left, right)
    return _ordered(op, left, right)


def _whole(value: Value) -> bool:
    return bool(pa.types.is_integer(value.type) or pa.types.is_timestamp(value.type))


def _ordered(op: str, left: Value, right: Value) -> Value:
    test = f"({left.sql} {_SQL_OPS[op]} {right.sql})"
    if not pa.types.is_floating(left.type):
        return Value(test, pa.bool_())
    # What is not a number compares with nothing; DuckDB takes it for the greatest number.
    strange = " OR ".join(f"isnan({each.sql})" for each in (left, right))
    verdict = literals.boolean(op == "!=")
    return Value(f"(CASE WHEN {strange} THEN {verdict} ELSE {test} END)", pa.bool_())


def compare_with(op: str, left: Value, value: Constant) -> Value:
    """A comparison with a constant, which is brought to the type of the column so that whole blocks can be passed over."""
    if value is None:
        return Value("CAST(NULL AS BOOLEAN)", pa.bool_())
    if isinstance(value, bool) or pa.types.is_boolean(left.type):
        return _ordered(op, truth(left), Value(literals.boolean(bool(value)), pa.bool_()))
    if isinstance(value, int) and _whole(left):
        low, high = bounds(left.type)
        if low <= value <= high:
            return _ordered(op, left, Value(literals.integer(value, sql_type(left.type)), left.type))
        verdict = op in (_MIRRORED if value < low else ("!=", "<", "<="))
        return Value(f"(CASE WHEN {left.sql} IS NOT NULL THEN {literals.boolean(verdict)} END)", pa.bool_())
    if isinstance(value, int | float):
        return _ordered(op, real(left), Value(literals.real(float(value)), pa.float64()))
    return compare(op, left, constant(value))
