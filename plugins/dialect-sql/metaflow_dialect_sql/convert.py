"""From sqlglot's tree to expressions: the allow-list. A node that is not named here is refused, whatever it is."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Tag
from metaflow_core.model.expression import (
    And,
    Arithmetic,
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
from metaflow_dialect_sql.fields import Fields
from metaflow_dialect_sql.statements import at

__all__ = ["Converter", "dotted_name"]

_COMPARE = {exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_REFUSED: dict[type[Any], str] = {
    exp.Subquery: "a question inside of a question is not taken",
    exp.Select: "a question inside of a question is not taken",
    exp.Window: "window functions are not taken",
    exp.Filter: "FILTER is not taken; write the condition into WHERE, or use if(condition, x, 0)",
    exp.Cast: "casts are not taken; there are toString(x) and toUnixTimestamp(x)",
    exp.Star: "* stands alone in SELECT, or in Count(*)",
    exp.Escape: "ESCAPE is not taken; * is the only wildcard of like",
    exp.Bracket: "indexing is not taken; a key of a map is written attribute.KEY",
    exp.Placeholder: "placeholders are not taken; write the value",
    exp.Parameter: "variables are not taken; write the value",
    exp.SessionParameter: "variables are not taken; write the value",
    exp.Glob: "GLOB is not taken; write like",
    exp.ILike: "ILIKE is not taken; like has no regard to case",
}
_MAX_RANGE_NETWORKS = 256
_CallHandler = Callable[[exp.Anonymous, "Converter"], Expr]


@dataclass
class Converter:
    """Converts the expressions of one question.

    :ivar call: what a call means where the converter is used. :ivar names: expressions that stand for a name (aliases).
    :ivar warnings: sentences for whoever asked.
    """

    fields: Fields
    call: _CallHandler
    names: Callable[[str, int | None], Expr | None] = lambda name, place: None
    warnings: list[str] = field(default_factory=list)

    def expr(self, node: exp.Expr) -> Expr:
        """An expression.

        :raises QuerySyntaxError: it holds something that is not taken, with the column.
        """
        match node:
            case exp.Paren():
                return self.expr(node.this)
            case exp.Column() | exp.Dot() | exp.Identifier():
                return self._name(node)
            case exp.Literal() | exp.HexString() | exp.Boolean() | exp.Null():
                return _literal(node)
            case exp.Neg():
                inner = self.expr(node.this)
                if (
                    isinstance(inner, Literal)
                    and isinstance(inner.value, int | float)
                    and not isinstance(inner.value, bool)
                ):
                    return Literal(-inner.value, inner.at)
                return Negate(inner)
            case exp.And() | exp.Or():
                items = tuple(self.expr(each) for each in _chain(node))
                return And(items) if isinstance(node, exp.And) else Or(items)
            case exp.Not():
                return Not(self.expr(node.this))
            case exp.Is():
                return self._is(node)
            case exp.In():
                return self._in(node)
            case exp.Between():
                return self._between(node)
            case exp.Like():
                return self._like(node)
            case exp.RegexpLike():
                _only(node, "this", "expression", "negate")
                found = Regexp(self.expr(node.this), _text(node.expression, "regexp"))
                return Not(found) if node.args.get("negate") else found
            case exp.Anonymous():
                return self.call(node, self)
            case exp.Binary() if type(node) in _COMPARE:
                return self._compare(_COMPARE[type(node)], node.left, node.right)
            case exp.Binary() if type(node) in _ARITHMETIC:
                return Arithmetic(_ARITHMETIC[type(node)], self.expr(node.left), self.expr(node.right))
        raise _refused(node)

    def _name(self, node: exp.Expr) -> Expr:
        name, place = dotted_name(node), at(node)
        stands_for = self.names(name, place)
        return stands_for if stands_for is not None else Ref(self.fields.canonical(name), place)

    def _compare(self, op: str, left: exp.Expr, right: exp.Expr) -> Expr:
        first, second = self.expr(left), self.expr(right)
        if isinstance(first, Literal) and not isinstance(second, Literal):
            first, second, op = second, first, _MIRRORED.get(op, op)
        if isinstance(second, Literal) and second.value is None:
            raise QuerySyntaxError("nothing equals null; write 'is null' or 'is not null'", second.at or at(left))
        if self._is_address(first) and isinstance(second, Literal):
            if op not in ("=", "!="):
                raise QuerySyntaxError(
                    "addresses are compared with = and in: an address, a network '10.0.0.0/8', a range '10.0.0.1-10.0.0.9'",
                    second.at or at(left),
                )
            networks = _networks(second)
            if len(networks) != 1:
                test = In(first, networks)
                return test if op == "=" else Not(test)
            second = networks[0]
        return Compare(op, first, second)

    def _is_address(self, node: Expr) -> bool:
        found = self.fields.find(node.name) if isinstance(node, Ref) else None
        return isinstance(found, Tag) and found.kind == "ip"

    def _is(self, node: exp.Is) -> Expr:
        operand = self.expr(node.this)
        match node.expression:
            case exp.Null():
                return IsNull(operand)
            case exp.Boolean():
                return Compare("=", operand, _literal(node.expression))
        raise QuerySyntaxError("expected null after 'is'", at(node.expression) or at(node))

    def _in(self, node: exp.In) -> Expr:
        _only(node, "this", "expressions")
        operand = self.expr(node.this)
        items: list[Literal] = []
        for each in node.expressions:
            item = self.expr(each)
            if not isinstance(item, Literal):
                raise QuerySyntaxError("a list holds numbers and texts in quotes only", at(each) or at(node))
            items.extend(_networks(item) if self._is_address(operand) else (item,))
        if not items:
            raise QuerySyntaxError("the list after 'in' is empty", at(node))
        return In(operand, tuple(items))

    def _between(self, node: exp.Between) -> Expr:
        _only(node, "this", "low", "high")
        return And(
            (self._compare(">=", node.this, node.args["low"]), self._compare("<=", node.this, node.args["high"]))
        )

    def _like(self, node: exp.Like) -> Expr:
        _only(node, "this", "expression", "negate")
        pattern = _text(node.expression, "like")
        if "%" in pattern and "*" not in pattern:
            self.warnings.append(f"the wildcard of like is *; in {pattern!r} the character % stands for itself")
        found = Like(self.expr(node.this), pattern)
        return Not(found) if node.args.get("negate") else found


def dotted_name(node: exp.Expr) -> str:
    """``a.b.c`` of a column, however sqlglot took it apart.

    :raises QuerySyntaxError: there is something else than names in it.
    """
    match node:
        case exp.Identifier():
            return str(node.this)
        case exp.Dot():
            return f"{dotted_name(node.this)}.{dotted_name(node.expression)}"
        case exp.Column():
            _only(node, "this", "table", "db", "catalog")
            parts = [node.args[key] for key in ("catalog", "db", "table", "this") if node.args.get(key)]
            return ".".join(dotted_name(part) for part in parts)
    raise _refused(node)


def _refused(node: exp.Expr) -> QuerySyntaxError:
    said = next((text for kind, text in _REFUSED.items() if isinstance(node, kind)), None)
    return QuerySyntaxError(said or f"{type(node).__name__} is no part of this SQL", at(node))


def _only(node: exp.Expr, *keys: str) -> None:
    """Refuses parts of a node that would be passed over otherwise."""
    for key, value in node.args.items():
        if value and key not in keys:
            if isinstance(value, exp.Expr):
                raise _refused(value)
            raise QuerySyntaxError(f"{key.strip('_').upper()} is no part of this SQL", at(node))


def _chain(node: exp.Expr) -> list[exp.Expr]:
    """The operands of a chain of one operator, without recursion: chains may be long."""
    kind = type(node)
    out: list[exp.Expr] = []
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, exp.Binary) and type(each) is kind:
            stack.extend((each.right, each.left))
        else:
            out.append(each)
    return out


def _literal(node: exp.Expr) -> Literal:
    place = at(node)
    match node:
        case exp.Null():
            return Literal(None, place)
        case exp.Boolean():
            return Literal(bool(node.this), place)
        case exp.HexString():
            digits = str(node.this)
            if len(digits) > 16:
                raise QuerySyntaxError("the number is beyond those of 64 bits", place)
            return Literal(int(digits, 16), place)
    text = str(node.this)
    if node.is_string:
        return Literal(text, place)
    try:
        value = int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise QuerySyntaxError(f"{text[:40]!r} is no number", place) from None
    if not -(2**64) < value < 2**64 if isinstance(value, int) else not math.isfinite(value):
        raise QuerySyntaxError(f"{text[:40]!r} is beyond the numbers of 64 bits", place)
    return Literal(value, place)


def _text(node: exp.Expr, word: str) -> str:
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise QuerySyntaxError(f"expected a text in quotes after {word!r}", at(node))
    return str(node.this)


def _networks(literal: Literal) -> tuple[Literal, ...]:
    """A range of addresses as networks; anything else as it is."""
    text = literal.value
    if not isinstance(text, str) or "-" not in text:
        return (literal,)
    low, _, high = text.partition("-")
    try:
        first, last = ipaddress.ip_address(low.strip()), ipaddress.ip_address(high.strip())
        networks = list(ipaddress.summarize_address_range(first, last))
    except (TypeError, ValueError) as error:
        raise QuerySyntaxError(
            f"{text!r} is no range of addresses such as '10.0.0.1-10.0.0.9': {error}", literal.at
        ) from None
    if len(networks) > _MAX_RANGE_NETWORKS:
        raise QuerySyntaxError(f"{text!r} takes more than {_MAX_RANGE_NETWORKS} networks", literal.at)
    return tuple(Literal(str(network), literal.at) for network in networks)
