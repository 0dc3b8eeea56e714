"""Evaluates bound expressions on whole columns."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Cidr,
    Compare,
    Expr,
    In,
    IsNull,
    Like,
    Literal,
    Negate,
    Not,
    Or,
    Ref,
    Regexp,
)
from metaflow_core.query.bind import like_pattern
from metaflow_core.query.columns.frame import Frame, plain
from metaflow_core.query.columns.numbers import arithmetic, compare, in_range, number
from metaflow_core.query.columns.rowfunctions import ROW_FUNCTIONS

__all__ = ["evaluate", "mask"]


def mask(node: Expr, frame: Frame) -> pa.Array:
    """A predicate as an array of booleans; missing where the predicate is."""
    result = evaluate(node, frame)
    return result if result.type == pa.bool_() else result.cast(pa.bool_())


def evaluate(node: Expr, frame: Frame) -> pa.Array:
    """The value of an expression in every row.

    :param node: bound (:func:`metaflow_core.query.bind.bind`), or taken from a prepared plan.
    :raises QueryError: a pattern is not one of RE2's, whole numbers become too large, or a name is not there.
    """
    match node:
        case Ref(name):
            if name not in frame.arrays:
                raise UnsupportedQuery(f"{name!r} is resolved by a storage and not known here")
            return frame.arrays[name]
        case Literal(value):
            return pa.repeat(pa.scalar(value), frame.rows)
        case Negate(operand):
            return pc.negate(number(evaluate(operand, frame)))
        case Arithmetic(op, left, right):
            return arithmetic(op, evaluate(left, frame), evaluate(right, frame))
        case Compare(op, Literal(value), right):
            mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
            return _compare_with(mirrored, evaluate(right, frame), value)
        case Compare(op, left, Literal(value)):
            return _compare_with(op, evaluate(left, frame), value)
        case Compare(op, left, right):
            return compare(op, plain(evaluate(left, frame)), plain(evaluate(right, frame)))
        case In(operand, items):
            return _in(evaluate(operand, frame), [item.value for item in items])
        case Like(operand, pattern):
            return _matches(evaluate(operand, frame), f"(?s){like_pattern(pattern)}", ignore_case=True)
        case Regexp(operand, pattern):
            return _matches(evaluate(operand, frame), pattern, ignore_case=False)
        case Cidr(operand, networks):
            return _in_networks(plain(evaluate(operand, frame)), networks)
        case IsNull(operand):
            return pc.is_null(evaluate(operand, frame))
        case And(items):
            return reduce(pc.and_kleene, (mask(item, frame) for item in items))
        case Or(items):
            return reduce(pc.or_kleene, (mask(item, frame) for item in items))
        case Not(operand):
            return pc.invert(mask(operand, frame))
        case Call(name, arguments):
            function = ROW_FUNCTIONS.get(name)
            if function is None:
                raise UnsupportedQuery(f"there is no row function {name!r}")
            literals = [each.value if isinstance(each, Literal) else None for each in arguments]
            columns = [frame.columns.get(each.name) if isinstance(each, Ref) else None for each in arguments]
            return function([evaluate(each, frame) for each in arguments], literals, columns)


def _on_values(array: pa.Array, test: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """A test on the few values of a dictionary instead of on every row."""
    if pa.types.is_dictionary(array.type):
        return test(array.dictionary).take(array.indices)
    return test(array)


def _compare_with(op: str, array: pa.Array, value: Any) -> pa.Array:
    if value is None:
        return pa.nulls(len(array), pa.bool_())
    return _on_values(array, lambda values: compare(op, values, value))


def _in(array: pa.Array, items: list[Any]) -> pa.Array:
    def test(values: pa.Array) -> pa.Array:
        if pa.types.is_timestamp(values.type):
            values = values.cast(pa.int64())
        wanted = [item for item in items if item is not None and in_range(item, values.type)]
        found = pc.is_in(values, value_set=pa.array(wanted, values.type))
        return pc.if_else(pc.is_valid(values), found, pa.scalar(None, pa.bool_()))

    return _on_values(array, test)


def _matches(array: pa.Array, pattern: str, *, ignore_case: bool) -> pa.Array:
    try:
        return _on_values(
            array, lambda values: pc.match_substring_regex(values.cast(pa.utf8()), pattern, ignore_case=ignore_case)
        )
    except pa.ArrowInvalid as error:
        raise QueryError(f"{pattern!r} is no regular expression of RE2: {error}") from error


def _in_networks(array: pa.Array, networks: tuple[str, ...]) -> pa.Array:
    tests = []
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        first, last = network.network_address, network.broadcast_address
        if network.version == 4:
            low: Any = pa.scalar(int(first), array.type)
            high: Any = pa.scalar(int(last), array.type)
        else:
            array = array.cast(pa.binary())
            low, high = pa.scalar(first.packed, pa.binary()), pa.scalar(last.packed, pa.binary())
        tests.append(pc.and_(pc.greater_equal(array, low), pc.less_equal(array, high)))
    return reduce(pc.or_, tests)
