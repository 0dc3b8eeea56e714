"""The nodes of an expression over the columns of one row: plain values, no behaviour, no SQL.

Derived metrics in the catalogue, the filters of a query plan and ``mflow read --where`` all use these nodes. An
aggregate (``Sum``, ``Uniq``, ...) is not an expression: it is a measure of a plan's ``Aggregate`` node.

Missing values follow SQL: a comparison with a missing value is missing, a filter keeps a row only when it is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "And",
    "Arithmetic",
    "Call",
    "Cidr",
    "Compare",
    "Expr",
    "In",
    "IsNull",
    "Like",
    "Literal",
    "Negate",
    "Not",
    "Or",
    "Ref",
    "Regexp",
    "Value",
    "children",
    "references",
    "rewrite",
    "walk",
]

Value: TypeAlias = bool | int | float | str | bytes | None
"""What a literal may hold."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A column, virtual tag or metric by name.

    :ivar at: where it stands in the text it was read from, counted from 1; None when it was not read from text.
    """

    name: str
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Times are integers in the unit of the column they are compared with."""

    value: Value
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """Arithmetic minus of one operand."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``op`` is one of ``+ - * / %``. ``/`` is a division of reals; division by 0 is missing.

    ``%`` has the sign of its left operand. Whole numbers have 64 bits; a storage refuses a result beyond them, or wraps around.
    """

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """``op`` is one of ``= != < <= > >=``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class In:
    """Membership in a list of constants."""

    operand: Expr
    items: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """Whole-text match without regard to case; ``*`` stands for any text, every other character for itself."""

    operand: Expr
    pattern: str


@dataclass(frozen=True, slots=True)
class Regexp:
    """The pattern (RE2 syntax) matches somewhere in the text; ``^`` and ``$`` tie it to its ends."""

    operand: Expr
    pattern: str


@dataclass(frozen=True, slots=True)
class Cidr:
    """The address lies in one of the networks (``10.0.0.0/8``, ``2001:db8::/32``, a bare address)."""

    operand: Expr
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """The value is missing."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; the opposite of missing is missing."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A row function by name; :mod:`metaflow_core.query.functions` lists them with their arguments."""

    name: str
    arguments: tuple[Expr, ...]
    at: int | None = field(default=None, compare=False)


Expr: TypeAlias = (
    Ref | Literal | Negate | Arithmetic | Compare | In | Like | Regexp | Cidr | IsNull | And | Or | Not | Call
)
"""Any expression."""


def children(node: Expr) -> tuple[Expr, ...]:
    """The operands of a node, in order."""
    match node:
        case Ref() | Literal():
            return ()
        case Negate(operand) | Not(operand) | IsNull(operand):
            return (operand,)
        case Like(operand, _) | Regexp(operand, _) | Cidr(operand, _):
            return (operand,)
        case In(operand, items):
            return (operand, *items)
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case And(items) | Or(items):
            return items
        case Call(_, arguments):
            return arguments


def walk(node: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def references(node: Expr) -> tuple[str, ...]:
    """The names that an expression refers to, each once, in order of first use."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, Ref)))


def rewrite(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """A copy with ``change`` applied to every node, operands first."""
    match node:
        case Negate(operand):
            node = Negate(rewrite(operand, change))
        case Not(operand):
            node = Not(rewrite(operand, change))
        case IsNull(operand):
            node = IsNull(rewrite(operand, change))
        case Like(operand, pattern):
            node = Like(rewrite(operand, change), pattern)
        case Regexp(operand, pattern):
            node = Regexp(rewrite(operand, change), pattern)
        case Cidr(operand, networks):
            node = Cidr(rewrite(operand, change), networks)
        case In(operand, items):
            node = In(rewrite(operand, change), items)
        case Arithmetic(op, left, right):
            node = Arithmetic(op, rewrite(left, change), rewrite(right, change))
        case Compare(op, left, right):
            node = Compare(op, rewrite(left, change), rewrite(right, change))
        case And(items):
            node = And(tuple(rewrite(item, change) for item in items))
        case Or(items):
            node = Or(tuple(rewrite(item, change) for item in items))
        case Call(name, arguments, at):
            node = Call(name, tuple(rewrite(argument, change) for argument in arguments), at)
        case Ref() | Literal():
            pass
    return change(node)
