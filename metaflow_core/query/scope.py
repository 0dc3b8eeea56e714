"""What the names in an expression can refer to, and of what family a result is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.catalog.values import Column, Table
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
from metaflow_core.query.functions import ROW_FUNCTIONS
from metaflow_core.query.plan import Resolution

__all__ = ["Scope", "family_of"]

_NUMBERS = ("int", "float", "bool")


@dataclass(slots=True)
class Scope:
    """The columns that an input offers.

    :ivar families: family of each column (see :class:`~metaflow_core.model.catalog.types.Type`), ``any`` where unknown.
    :ivar columns: the catalogue's column behind a name, where it is one: its enumeration and unit matter.
    :ivar table: set directly above a scan: metrics and tags of the table may be named too.
    :ivar used: stored columns that were named. :ivar resolved: tags that were named.
    """

    catalog: Catalog
    families: dict[str, str]
    columns: dict[str, Column]
    table: Table | None = None
    time_s: float | None = None
    used: dict[str, None] = field(default_factory=dict)
    resolved: dict[str, Resolution] = field(default_factory=dict)

    @classmethod
    def of_table(cls, table: Table, catalog: Catalog) -> Scope:
        """The scope above a scan."""
        families = {column.name: TYPES[column.type].family for column in table.columns}
        return cls(catalog, families, {column.name: column for column in table.columns}, table)

    def names(self) -> list[str]:
        """Everything that may be named."""
        return list(self.families) if self.table is None else [*self.table.by_name, *self.families]


def _expect(found: str, allowed: tuple[str, ...], what: str, node: Expr) -> None:
    if found not in allowed and found != "any":
        raise QuerySyntaxError(f"{what} is a {found}, expected {' or '.join(allowed)}", _at(node))


def _at(node: Expr) -> int | None:
    return node.at if isinstance(node, Ref | Literal | Call) else None


def _shown(node: Expr) -> str:
    match node:
        case Ref(name):
            return repr(name)
        case Literal(value):
            return repr(value)
        case Call(name):
            return f"{name}(...)"
        case _:
            return "the operand"


def family_of(node: Expr, families: Mapping[str, str]) -> str:
    """The family of a bound expression's result.

    :raises QuerySyntaxError: an operator or function is given what it cannot take.
    """
    match node:
        case Ref(name):
            return families[name]
        case Literal(value):
            return _literal_family(value)
        case Negate(operand):
            _expect(family_of(operand, families), _NUMBERS, _shown(operand), operand)
            return family_of(operand, families)
        case Arithmetic(op, left, right):
            found = [family_of(each, families) for each in (left, right)]
            for family, each in zip(found, (left, right), strict=True):
                _expect(family, (*_NUMBERS, "time"), _shown(each), each)
            return "float" if op == "/" or "float" in found else "int"
        case Compare(_, left, right):
            _comparable(family_of(left, families), family_of(right, families), left, right)
            return "bool"
        case In(operand, items):
            for item in items:
                _comparable(family_of(operand, families), family_of(item, families), operand, item)
            return "bool"
        case Like(operand) | Regexp(operand):
            _expect(family_of(operand, families), ("text",), _shown(operand), operand)
            return "bool"
        case Cidr(operand):
            _expect(family_of(operand, families), ("address",), _shown(operand), operand)
            return "bool"
        case IsNull(operand):
            family_of(operand, families)
            return "bool"
        case And(items) | Or(items):
            for each in items:
                _expect(family_of(each, families), ("bool",), _shown(each), each)
            return "bool"
        case Not(operand):
            _expect(family_of(operand, families), ("bool",), _shown(operand), operand)
            return "bool"
        case Call():
            return _call_family(node, families)


def _literal_family(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "text"
        case bytes():
            return "bytes"
        case _:
            return "any"


def _comparable(left: str, right: str, left_node: Expr, right_node: Expr) -> None:
    groups = ({"int", "float", "bool", "time", "address"}, {"text"}, {"bytes", "address"}, {"list"})
    if "any" in (left, right) or any({left, right} <= group for group in groups):
        return
    raise QuerySyntaxError(
        f"{_shown(left_node)} is a {left} and cannot be compared with {_shown(right_node)}, a {right}",
        _at(right_node) or _at(left_node),
    )


def _call_family(call: Call, families: Mapping[str, str]) -> str:
    function = ROW_FUNCTIONS.get(call.name)
    if function is None:
        raise QuerySyntaxError(f"there is no function {call.name!r}{suggestion(call.name, ROW_FUNCTIONS)}", call.at)
    wanted = list(function.arguments)
    if wanted[-1].endswith("*"):
        wanted = [wanted[0][:-1]] * max(1, len(call.arguments))
    least = sum(not each.endswith("?") for each in wanted)
    if not least <= len(call.arguments) <= len(wanted):
        count = f"{least}" if least == len(wanted) else f"{least} to {len(wanted)}"
        raise QuerySyntaxError(f"{call.name} takes {count} arguments, found {len(call.arguments)}", call.at)
    result = function.result
    for want, argument in zip(wanted, call.arguments, strict=False):
        found = family_of(argument, families)
        want = want.rstrip("?")
        if want == "integer":
            if not isinstance(argument, Literal) or not isinstance(argument.value, int):
                raise QuerySyntaxError(f"{call.name} takes a whole number here", _at(argument) or call.at)
        elif want == "number":
            _expect(found, _NUMBERS, f"the argument of {call.name}", argument)
        elif want != "any":
            _expect(found, (want,), f"the argument of {call.name}", argument)
        if function.result == "same" and want in ("any", "number") and found != "any":
            result = "float" if {found, result} == {"int", "float"} else found
    return "any" if result == "same" else result
