"""Bound expressions as SQL."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

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
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.rowfunctions import ROW_FUNCTIONS
from metaflow_storage_duckdb.types import bounds, sql_type
from metaflow_storage_duckdb.values import Value, arithmetic, compare, compare_with, constant, number, truth

__all__ = ["condition", "express"]

Columns = Mapping[str, Value]


def condition(node: Expr, columns: Columns) -> str:
    """A predicate as SQL."""
    return truth(express(node, columns)).sql


def express(node: Expr, columns: Columns) -> Value:
    """An expression over columns by name.

    :raises QueryError: a pattern is not one of RE2's, a number is beyond 64 bits, a name is not there.
    """
    match node:
        case Ref(name):
            if name not in columns:
                raise UnsupportedQuery(f"there is no column {name!r} at this place of the plan")
            return columns[name]
        case Literal(value):
            return constant(value)
        case Negate(operand):
            held = number(express(operand, columns))
            return Value(f"(-{held.sql})", held.type)
        case Arithmetic(op, left, right):
            return arithmetic(op, express(left, columns), express(right, columns))
        case Compare(op, Literal(value), right):
            mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
            return compare_with(mirrored, express(right, columns), value)
        case Compare(op, left, Literal(value)):
            return compare_with(op, express(left, columns), value)
        case Compare(op, left, right):
            return compare(op, express(left, columns), express(right, columns))
        case In(operand, items):
            return _in(express(operand, columns), items)
        case Like(operand, pattern):
            return _matches(express(operand, columns), f"(?is){like_pattern(pattern)}")
        case Regexp(operand, pattern):
            return _matches(express(operand, columns), _checked(pattern))
        case Cidr(operand, networks):
            return _in_networks(express(operand, columns), networks)
        case IsNull(operand):
            return Value(f"({express(operand, columns).sql} IS NULL)", pa.bool_())
        case And(items):
            return Value("(" + " AND ".join(condition(item, columns) for item in items) + ")", pa.bool_())
        case Or(items):
            return Value("(" + " OR ".join(condition(item, columns) for item in items) + ")", pa.bool_())
        case Not(operand):
            return Value(f"(NOT {condition(operand, columns)})", pa.bool_())
        case Call(name, arguments):
            function = ROW_FUNCTIONS.get(name)
            if function is None:
                raise UnsupportedQuery(f"the DuckDB storage has no row function {name!r}")
            constants = [each.value if isinstance(each, Literal) else None for each in arguments]
            return function([express(each, columns) for each in arguments], constants)


def _in(value: Value, items: tuple[Literal, ...]) -> Value:
    kept: list[str] = []
    for item in items:
        wanted = item.value
        if wanted is None:
            continue
        if pa.types.is_integer(value.type) or pa.types.is_timestamp(value.type):
            if isinstance(wanted, float) and not wanted.is_integer():
                continue
            if isinstance(wanted, bool | int | float):
                low, high = bounds(value.type)
                whole = int(wanted)
                if low <= whole <= high:
                    kept.append(literals.integer(whole, sql_type(value.type)))
                continue
        kept.append(constant(wanted).cast(value.type).sql)
    if not kept:
        return Value(f"(CASE WHEN {value.sql} IS NOT NULL THEN false END)", pa.bool_())
    return Value(f"({value.sql} IN ({', '.join(kept)}))", pa.bool_())


def _matches(value: Value, pattern: str) -> Value:
    return Value(f"regexp_matches({value.cast(pa.utf8()).sql}, {literals.text(pattern)})", pa.bool_())


def _checked(pattern: str) -> str:
    """Arrow has RE2 too, so that the mistake is told before DuckDB begins."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise QueryError(f"{pattern!r} is no regular expression of RE2: {error}") from error
    return pattern


def _in_networks(value: Value, networks: tuple[str, ...]) -> Value:
    tests = []
    for each in networks:
        network = ipaddress.ip_network(each, strict=False)
        first, last = network.network_address, network.broadcast_address
        if isinstance(first, ipaddress.IPv4Address):
            low, high = (literals.integer(int(end), sql_type(value.type)) for end in (first, last))
        else:
            low, high = literals.blob(first.packed), literals.blob(last.packed)
        tests.append(f"{value.sql} BETWEEN {low} AND {high}")
    return Value("(" + " OR ".join(tests) + ")", pa.bool_())
