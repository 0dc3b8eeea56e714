"""Bound expressions as SQL."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import reduce

from metaflow_core.errors import UnsupportedQuery
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
from metaflow_storage_clickhouse.sql.compare import arithmetic, compare, compare_with, member
from metaflow_storage_clickhouse.sql.functions import ROW_FUNCTIONS
from metaflow_storage_clickhouse.sql.quote import literal, text
from metaflow_storage_clickhouse.sql.typed import Typed, number

__all__ = ["condition", "expression"]

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition(node: Expr, columns: Mapping[str, Typed]) -> Typed:
    """A predicate as something true, false or missing."""
    value = expression(node, columns)
    if value.type == "null":
        return Typed("CAST(NULL, 'Nullable(Bool)')", "bool", nullable=True)
    return value if value.type == "bool" else Typed(f"notEquals({number(value).sql}, 0)", "bool", value.nullable)


def expression(node: Expr, columns: Mapping[str, Typed]) -> Typed:
    """The SQL of an expression.

    :param columns: what each name stands for.
    :raises QueryError: a constant cannot be expressed. :raises UnsupportedQuery: a name or function is not there.
    """
    match node:
        case Ref(name):
            if name not in columns:
                raise UnsupportedQuery(f"there is no column {name!r} at this place of the plan")
            return columns[name]
        case Literal(value):
            return Typed(literal(value), _constant_type(value), value is None)
        case Negate(operand):
            inner = number(expression(operand, columns))
            return Typed(f"negate({inner.sql})", inner.type, inner.nullable)
        case Arithmetic(op, left, right):
            return arithmetic(op, expression(left, columns), expression(right, columns))
        case Compare(op, Literal(value), right):
            return compare_with(_MIRRORED.get(op, op), expression(right, columns), value)
        case Compare(op, left, Literal(value)):
            return compare_with(op, expression(left, columns), value)
        case Compare(op, left, right):
            return compare(op, expression(left, columns), expression(right, columns))
        case In(operand, items):
            return member(expression(operand, columns), [item.value for item in items])
        case Like(operand, pattern):
            return _matches(expression(operand, columns), f"(?is){like_pattern(pattern)}")
        case Regexp(operand, pattern):
            # ClickHouse lets a dot stand for a line end unless told otherwise.
            return _matches(expression(operand, columns), f"(?-s){pattern}")
        case Cidr(operand, networks):
            return _in_networks(expression(operand, columns), networks)
        case IsNull(operand):
            return Typed(f"isNull({expression(operand, columns).sql})", "bool")
        case And(items):
            return _logic("and", [condition(item, columns) for item in items])
        case Or(items):
            return _logic("or", [condition(item, columns) for item in items])
        case Not(operand):
            inner = condition(operand, columns)
            return Typed(f"not({inner.sql})", "bool", inner.nullable)
        case Call(name, arguments):
            function = ROW_FUNCTIONS.get(name)
            if function is None:
                raise UnsupportedQuery(f"there is no row function {name!r}")
            constants = [each.value if isinstance(each, Literal) else None for each in arguments]
            values = [
                condition(each, columns) if name == "if" and index == 0 else expression(each, columns)
                for index, each in enumerate(arguments)
            ]
            return function(values, constants)


def _constant_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "i64" if value < 1 << 63 else "u64"
        case float():
            return "f64"
        case bytes():
            return "binary"
        case _:
            return "string"


def _logic(call: str, items: list[Typed]) -> Typed:
    if len(items) == 1:
        return items[0]
    return Typed(f"{call}({', '.join(item.sql for item in items)})", "bool", any(item.nullable for item in items))


def _matches(value: Typed, pattern: str) -> Typed:
    # A comparison, so that the result is a Bool also where a whole condition is constant.
    return Typed(f"equals(match({value.sql}, {text(pattern)}), 1)", "bool", value.nullable)


def _in_networks(value: Typed, networks: tuple[str, ...]) -> Typed:
    tests = []
    for each in networks:
        network = ipaddress.ip_network(each, strict=False)
        call = "toIPv4" if network.version == 4 else "toIPv6"
        first, last = network.network_address, network.broadcast_address
        if first == last:
            tests.append(Typed(f"equals({value.sql}, {call}({text(str(first))}))", "bool", value.nullable))
            continue
        low, high = (f"{call}({text(str(address))})" for address in (first, last))
        inside = f"and(greaterOrEquals({value.sql}, {low}), lessOrEquals({value.sql}, {high}))"
        tests.append(Typed(inside, "bool", value.nullable))
    return reduce(lambda left, right: _logic("or", [left, right]), tests)
