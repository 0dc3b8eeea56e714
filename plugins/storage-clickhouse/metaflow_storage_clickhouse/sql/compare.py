"""Comparison and arithmetic with the meaning that plans give them, whatever the columns' widths."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.expression import Value
from metaflow_storage_clickhouse.sql.quote import literal
from metaflow_storage_clickhouse.sql.typed import Typed, instant, integral, number, once, real

__all__ = ["align", "arithmetic", "compare", "compare_with", "member", "remainder"]

_CALLS = {"=": "equals", "!=": "notEquals", "<": "less", "<=": "lessOrEquals", ">": "greater", ">=": "greaterOrEquals"}
_NULL_BOOL = Typed("CAST(NULL, 'Nullable(Bool)')", "bool", nullable=True)
_SECONDS = (0, (1 << 32) - 1)


def compare(op: str, left: Typed, right: Typed) -> Typed:
    """Two expressions compared."""
    if "null" in (left.type, right.type):
        return _NULL_BOOL
    left, right = integral(left), integral(right)
    if "f64" in (left.type, right.type):
        left, right = real(left), real(right)
    elif (left.type == "bool") != (right.type == "bool"):
        left, right = number(left), number(right)
    return Typed(f"{_CALLS[op]}({left.sql}, {right.sql})", "bool", left.nullable or right.nullable)


def compare_with(op: str, value: Typed, constant: Value) -> Typed:
    """An expression compared with a constant, which its type may be too narrow for."""
    if constant is None or value.type == "null":
        return _NULL_BOOL
    if value.family == "time" and isinstance(constant, int) and not isinstance(constant, bool):
        low, high = _SECONDS if value.type == "time_s" else (-(1 << 63), (1 << 63) - 1)
        if not low <= constant <= high:
            return _verdict(op, value, below=constant < low)
        # The column itself, not a number made from it: parts and granules are skipped by it.
        moment = instant(literal(constant) if value.type != "time_s" else str(constant), value.type)
        return Typed(f"{_CALLS[op]}({value.sql}, {moment.sql})", "bool", value.nullable)
    value = integral(value)
    if isinstance(constant, bool) or value.type == "bool":
        sql = value.sql if value.type == "bool" else f"notEquals({value.sql}, 0)"
        return Typed(f"{_CALLS[op]}({sql}, {literal(bool(constant))})", "bool", value.nullable)
    if isinstance(constant, float) or value.type == "f64":
        assert isinstance(constant, int | float)
        return Typed(f"{_CALLS[op]}({real(value).sql}, {literal(float(constant))})", "bool", value.nullable)
    if isinstance(constant, int):
        known = TYPES.get(value.type)
        low, high = (known.low, known.high) if known is not None and known.family == "int" else (0, (1 << 64) - 1)
        if not low <= constant <= high:
            return _verdict(op, value, below=constant < low)
        return Typed(f"{_CALLS[op]}({value.sql}, {_bare(constant)})", "bool", value.nullable)
    if isinstance(constant, bytes) and value.type == "ip6":
        if len(constant) != 16:
            raise UnsupportedQuery(f"an IPv6 address has 16 bytes, the constant {constant!r} has {len(constant)}")
        return Typed(
            f"{_CALLS[op]}({value.sql}, CAST(toFixedString({literal(constant)}, 16), 'IPv6'))", "bool", value.nullable
        )
    return Typed(f"{_CALLS[op]}({value.sql}, {literal(constant)})", "bool", value.nullable)


def _bare(constant: int) -> str:
    """A whole number to compare with, in the narrowest type that holds it: wide ones make narrow columns wide first."""
    return str(constant) if constant > -(1 << 63) else literal(constant)


def _verdict(op: str, value: Typed, *, below: bool) -> Typed:
    """Every value lies on one side of the constant."""
    answer = literal(op in (("!=", ">", ">=") if below else ("!=", "<", "<=")))
    if not value.nullable:
        return Typed(answer, "bool")
    return Typed(f"if(isNull({value.sql}), NULL, {answer})", "bool", nullable=True)


def member(value: Typed, constants: Sequence[Value]) -> Typed:
    """Membership in a list of constants; missing of a missing value. Constants that no value can equal are passed over."""
    if value.type == "null":
        return _NULL_BOOL
    value = integral(value)
    wanted = [each for each in constants if each is not None]
    if value.family == "int" or value.type == "mac":
        bounds = TYPES[value.type] if value.family == "int" else TYPES["u64"]
        whole = [int(each) for each in wanted if isinstance(each, int | float) and each == int(each)]
        wanted = [each for each in whole if bounds.low <= each <= bounds.high]
    elif value.type == "bool":
        wanted = [bool(each) for each in wanted]
    elif value.type == "f64":
        wanted = [float(each) for each in wanted if isinstance(each, int | float)]
    if not wanted:
        return Typed(f"if(isNull({value.sql}), NULL, false)" if value.nullable else "false", "bool", value.nullable)
    tests = ", ".join(_bare(each) if type(each) is int else literal(each) for each in wanted)
    if not value.nullable:
        return Typed(f"in({value.sql}, tuple({tests}))", "bool")
    return Typed(once(value.sql, lambda x: f"if(isNull({x}), NULL, in({x}, tuple({tests})))"), "bool", nullable=True)


def align(left: Typed, right: Typed) -> tuple[Typed, Typed, str]:
    """Two values in one type that holds both, and that type."""
    if left.type == right.type:
        return left, right, left.type
    if "null" in (left.type, right.type):
        return left, right, right.type if left.type == "null" else left.type
    if left.family == "text" and right.family == "text":
        one, other = (Typed(f"toString({each.sql})", "string", each.nullable) for each in (left, right))
        return one, other, "string"
    if "f64" in (left.type, right.type):
        return real(left), real(right), "f64"
    if left.family == right.family == "list":
        return left, right, "list"
    return number(left), number(right), "i64"


def arithmetic(op: str, left: Typed, right: Typed) -> Typed:
    """``+ - * / %``; division by 0 is missing. Whole numbers wrap around at 64 bits."""
    if op == "/":
        return Typed(f"divide({real(left).sql}, nullIf({real(right).sql}, 0))", "f64", nullable=True)
    floating = "f64" in (left.type, right.type)
    left, right = (real(left), real(right)) if floating else (number(left), number(right))
    nullable = left.nullable or right.nullable
    if op == "%":
        return remainder(left, right, "f64" if floating else "i64")
    call = {"+": "plus", "-": "minus", "*": "multiply"}[op]
    return Typed(f"{call}({left.sql}, {right.sql})", left.type, nullable)


def remainder(left: Typed, right: Typed, type_: str) -> Typed:
    """With the sign of the left operand, as in C."""
    if type_ == "f64":

        def rest(x: str, y: str) -> str:
            return f"minus({x}, multiply({y}, trunc(divide({x}, nullIf({y}, 0)))))"

    else:

        def rest(x: str, y: str) -> str:
            # The smallest number by -1 overflows in the processor; its remainder is 0.
            return f"toInt64(modulo({x}, if({y} = -1, 1, nullIf({y}, 0))))"

    return Typed(once(left.sql, lambda x: once(right.sql, lambda y: rest(x, y), "y")), type_, nullable=True)
