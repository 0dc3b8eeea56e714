"""The row functions of :data:`metaflow_core.query.functions.ROW_FUNCTIONS` as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from types import MappingProxyType
from typing import TypeAlias

from metaflow_core.model.expression import Value
from metaflow_storage_clickhouse.sql.addresses import address_text, network_text
from metaflow_storage_clickhouse.sql.compare import align
from metaflow_storage_clickhouse.sql.quote import literal
from metaflow_storage_clickhouse.sql.typed import Typed, instant, number, once, raw, real

__all__ = ["ROW_FUNCTIONS", "RowFunction", "to_text"]

Values: TypeAlias = Sequence[Typed]
RowFunction: TypeAlias = Callable[[Values, Sequence[Value]], Typed]
"""Takes the arguments as SQL and as constants (None where they are none)."""


def _if(values: Values, _: Sequence[Value]) -> Typed:
    left, right, type_ = align(values[1], values[2])
    test = f"ifNull({values[0].sql}, false)" if values[0].nullable else values[0].sql
    return Typed(f"if({test}, {left.sql}, {right.sql})", type_, left.nullable or right.nullable)


def _coalesce(values: Values, _: Sequence[Value]) -> Typed:
    def both(left: Typed, right: Typed) -> Typed:
        left, right, type_ = align(left, right)
        return Typed(f"ifNull({left.sql}, {right.sql})", type_, left.nullable and right.nullable)

    return reduce(both, values)


def _extreme(call: str) -> RowFunction:
    """Missing when one of them is: ``least(x, 1)`` of no measurement is no measurement."""

    def of(values: Values, _: Sequence[Value]) -> Typed:
        def both(left: Typed, right: Typed) -> Typed:
            left, right, type_ = align(left, right)
            if not (left.nullable or right.nullable):
                return Typed(f"{call}({left.sql}, {right.sql})", type_)

            def chosen(x: str, y: str) -> str:
                return f"if(or(isNull({x}), isNull({y})), NULL, {call}({x}, {y}))"

            return Typed(once(left.sql, lambda x: once(right.sql, lambda y: chosen(x, y), "y")), type_, nullable=True)

        return reduce(both, values)

    return of


def _abs(values: Values, _: Sequence[Value]) -> Typed:
    value = number(values[0])
    sql = f"abs({value.sql})"
    return Typed(sql if value.type == "f64" else f"toInt64({sql})", value.type, value.nullable)


def _real(call: str) -> RowFunction:
    return lambda values, _: Typed(f"{call}({real(values[0]).sql})", "f64", values[0].nullable)


def _round(values: Values, constants: Sequence[Value]) -> Typed:
    """Halves away from zero; ClickHouse's own rounds reals to the even neighbour."""
    digits = constants[1] if len(constants) > 1 else 0
    assert isinstance(digits, int)
    scale, value = literal(10.0 ** abs(digits)), real(values[0])
    up, down = ("multiply", "divide") if digits >= 0 else ("divide", "multiply")
    whole = "trunc(v) + if(abs(v - trunc(v)) >= 0.5, sign(v), 0)"
    rounded = f"arrayMap(v -> {down}({whole}, {scale}), [{up}({value.sql}, {scale})])[1]"
    return Typed(rounded, "f64", value.nullable)


def _sqrt(values: Values, _: Sequence[Value]) -> Typed:
    value = real(values[0])
    return Typed(once(value.sql, lambda x: f"if(less({x}, 0), NULL, sqrt({x}))"), "f64", nullable=True)


def _text(call: str) -> RowFunction:
    return lambda values, _: Typed(f"{call}(toString({values[0].sql}))", "string", values[0].nullable)


def _length(values: Values, _: Sequence[Value]) -> Typed:
    return Typed(f"toInt64(lengthUTF8(toString({values[0].sql})))", "i64", values[0].nullable)


def _concat(values: Values, _: Sequence[Value]) -> Typed:
    parts = ", ".join(f"toString({each.sql})" for each in values)
    return Typed(f"concat({parts})", "string", any(each.nullable for each in values))


def to_text(value: Typed) -> Typed:
    """As text, addresses and times as people write them."""
    if value.family == "address":
        return address_text(value)
    if value.type == "f64":

        def shown(x: str) -> str:
            small = f"and(equals({x}, trunc({x})), less(abs({x}), 1e15))"
            return f"if({small}, concat(toString(toInt64({x})), '.0'), toString({x}))"

        return Typed(once(value.sql, shown), "string", value.nullable)
    return Typed(f"toString({value.sql})", "string", value.nullable)


def _bucket(values: Values, constants: Sequence[Value]) -> Typed:
    time, step = values[0], constants[1]
    offset = constants[2] if len(constants) > 2 else 0
    assert isinstance(step, int)
    assert isinstance(offset, int)
    if time.type == "time_s" and offset == 0 and 0 < step < 1 << 32:
        # In the column's own 32 bits without a sign: half the work of the general way.
        whole = f"multiply(intDiv(toUnixTimestamp({time.sql}), toUInt32({step})), toUInt32({step}))"
        return instant(whole, time.type, nullable=time.nullable)
    moment, width, shift = raw(time).sql, step * time.per_second, offset * time.per_second
    start = f"minus({moment}, positiveModulo(minus({moment}, {literal(shift)}), {literal(width)}))"
    return instant(start, time.type, nullable=time.nullable)


def _unix(values: Values, _: Sequence[Value]) -> Typed:
    time = values[0]
    return Typed(f"divide({real(raw(time)).sql}, {literal(float(time.per_second))})", "f64", time.nullable)


def _mask(values: Values, constants: Sequence[Value]) -> Typed:
    assert isinstance(constants[1], int)
    return network_text(values[0], constants[1])


def _has(values: Values, constants: Sequence[Value]) -> Typed:
    wanted = values[1].sql
    if values[0].type == "list_f64" and isinstance(constants[1], int):
        wanted = literal(float(constants[1]))
    return Typed(f"equals(has({values[0].sql}, {wanted}), 1)", "bool")


def _map_at(values: Values, _: Sequence[Value]) -> Typed:
    """The value beside a key, by position in the two lists of a row."""
    names, held, key = (each.sql for each in values)
    type_ = {"list_f64": "f64", "list_u32": "u32", "list_i64": "i64"}.get(values[1].type, "string")
    position = f"indexOf({names}, {key})"
    found = f"and(greater({position}, 0), lessOrEquals({position}, length({held})))"
    return Typed(f"if({found}, toNullable(arrayElement({held}, {position})), NULL)", type_, nullable=True)


def _map_text(values: Values, _: Sequence[Value]) -> Typed:
    """One JSON object with sorted keys; of equal keys the last counts."""
    names, held = (each.sql for each in values)
    both = f"least(length({names}), length({held}))"
    keys, items = f"arraySlice({names}, 1, {both})", f"arraySlice({held}, 1, {both})"
    last = f"arrayFilter(i -> not(has(arraySlice({keys}, i + 1), {keys}[i])), arrayEnumerate({keys}))"
    order = f"arraySort(i -> {keys}[i], {last})"
    number_text = "if(v = trunc(v) and abs(v) < 1e15, concat(toString(toInt64(v)), '.0'), toString(v))"
    shown = f"arrayMap(v -> {number_text}, [{items}[i]])[1]" if values[1].type == "list_f64" else _json(f"{items}[i]")
    pairs = f"arrayMap(i -> concat({_json(f'{keys}[i]')}, ': ', {shown}), {order})"
    return Typed(f"concat('{{', arrayStringConcat({pairs}, ', '), '}}')", "string")


def _json(sql: str) -> str:
    """A value as JSON; ClickHouse writes a slash with a backslash before it, which JSON allows and nobody expects."""
    return f"replaceAll(toJSONString({sql}), '\\\\/', '/')"


ROW_FUNCTIONS = MappingProxyType(
    {
        "if": _if,
        "coalesce": _coalesce,
        "abs": _abs,
        "floor": _real("floor"),
        "ceil": _real("ceil"),
        "round": _round,
        "sqrt": _sqrt,
        "least": _extreme("least"),
        "greatest": _extreme("greatest"),
        "lower": _text("lowerUTF8"),
        "upper": _text("upperUTF8"),
        "length": _length,
        "concat": _concat,
        "to_text": lambda values, _: to_text(values[0]),
        "bucket": _bucket,
        "unix": _unix,
        "mask": _mask,
        "has": _has,
        "map_at": _map_at,
        "map_text": _map_text,
    }
)
"""Row functions by name; read-only."""
