"""Arithmetic and comparison with the meaning that plans give them, whatever the columns' widths."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import QueryError

__all__ = ["align", "arithmetic", "compare", "in_range", "number", "real"]

_COMPARE = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def number(array: pa.Array) -> pa.Array:
    """As signed integers of 64 bits or reals: narrow and unsigned columns would wrap around in a sum or difference."""
    if pa.types.is_floating(array.type):
        return array.cast(pa.float64())
    if pa.types.is_null(array.type):
        return array.cast(pa.int64())
    return array.cast(pa.int64(), safe=False)


def real(array: pa.Array) -> pa.Array:
    """As reals."""
    if pa.types.is_floating(array.type):
        return array.cast(pa.float64())
    if pa.types.is_timestamp(array.type) or pa.types.is_boolean(array.type):
        array = array.cast(pa.int64())
    return array.cast(pa.float64(), safe=False)


def align(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Two arrays in one type that holds both."""
    if left.type == right.type:
        return left, right
    if pa.types.is_null(left.type):
        return left.cast(right.type), right
    if pa.types.is_null(right.type):
        return left, right.cast(left.type)
    if pa.types.is_floating(left.type) or pa.types.is_floating(right.type):
        return real(left), real(right)
    if pa.types.is_string(left.type) or pa.types.is_string(right.type):
        return left.cast(pa.utf8()), right.cast(pa.utf8())
    return number(left), number(right)


def arithmetic(op: str, left: pa.Array, right: pa.Array) -> pa.Array:
    """``+ - * / %``; division by 0 is missing.

    :raises QueryError: whole numbers become too large.
    """
    if op == "/":
        left, right = real(left), real(right)
        return pc.divide(left, _not_zero(right))
    if pa.types.is_floating(left.type) or pa.types.is_floating(right.type):
        left, right = real(left), real(right)
    else:
        left, right = number(left), number(right)
    try:
        match op:
            case "+":
                return pc.add_checked(left, right)
            case "-":
                return pc.subtract_checked(left, right)
            case "*":
                return pc.multiply_checked(left, right)
            case _:
                return _remainder(left, _not_zero(right))
    except pa.ArrowInvalid as error:
        raise QueryError(
            f"a result of {op!r} is beyond whole numbers of 64 bits; make an operand a real, as in 1.0 * x"
        ) from error


def _remainder(left: pa.Array, right: pa.Array) -> pa.Array:
    """With the sign of the left operand, as in C."""
    quotient = pc.divide(left, right)
    whole = pc.trunc(quotient) if pa.types.is_floating(quotient.type) else quotient
    return pc.subtract(left, pc.multiply(whole, right))


def _not_zero(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(array, pa.scalar(0, array.type)), pa.scalar(None, array.type), array)


def in_range(value: Any, type_: pa.DataType) -> bool:
    """Whether a column of this type could hold the value at all."""
    if not pa.types.is_integer(type_) or not isinstance(value, int):
        return not (pa.types.is_integer(type_) and isinstance(value, float) and not value.is_integer())
    low, high = _bounds(type_)
    return low <= value <= high


def _bounds(type_: pa.DataType) -> tuple[int, int]:
    if pa.types.is_unsigned_integer(type_):
        return 0, (1 << type_.bit_width) - 1
    return -(1 << type_.bit_width - 1), (1 << type_.bit_width - 1) - 1


def compare(op: str, left: pa.Array, right: Any) -> pa.Array:
    """A comparison with another array, or with a constant that the column's type may be too narrow for."""
    function = _COMPARE[op]
    if pa.types.is_timestamp(left.type):
        left = left.cast(pa.int64())
    if isinstance(right, pa.Array):
        if pa.types.is_timestamp(right.type):
            right = right.cast(pa.int64())
        if pa.types.is_uint64(left.type) and pa.types.is_uint64(right.type):
            return function(left, right)
        return function(*align(left, right))
    if isinstance(right, bool) or pa.types.is_boolean(left.type):
        return function(left.cast(pa.bool_()), pa.scalar(bool(right)))
    if isinstance(right, float) or pa.types.is_floating(left.type):
        return function(real(left), pa.scalar(float(right)))
    if isinstance(right, int) and pa.types.is_integer(left.type):
        low, high = _bounds(left.type)
        if right < low or right > high:
            # Every value lies on one side of the constant.
            verdict = op in (("!=", ">", ">=") if right < low else ("!=", "<", "<="))
            return pc.if_else(pc.is_valid(left), pa.scalar(verdict), pa.scalar(None, pa.bool_()))
        return function(left, pa.scalar(right, left.type))
    return function(left, pa.scalar(right, left.type))
