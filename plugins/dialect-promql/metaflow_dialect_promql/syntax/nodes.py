"""The nodes of a PromQL expression: plain values. Durations and moments are integers of milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Aggregation",
    "At",
    "Binary",
    "Call",
    "Matcher",
    "MatrixSelector",
    "Negation",
    "Node",
    "Number",
    "Parens",
    "Selector",
    "String",
    "Subquery",
    "bare",
    "children",
    "walk",
]

At: TypeAlias = int | Literal["start", "end"] | None
"""The ``@`` modifier: a moment, the first or last step of the query, or none."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A test of one label; ``op`` is one of ``= != =~ !~``."""

    name: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A text."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector.

    :ivar name: the metric name written before the braces; it is among the matchers too. Empty when none was.
    :ivar alternatives: sets of matchers; a series is selected when all matchers of one set hold.
    """

    name: str
    alternatives: tuple[tuple[Matcher, ...], ...]
    offset_ms: int = 0
    at: At = None


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """``selector[range]``."""

    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """``expr[range:step]``; without a step the default one is taken."""

    expr: Node
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: At = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """``op by|without (labels) (param, expr)``."""

    op: str
    expr: Node
    param: Node | None
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operation.

    :ivar card: ``one-to-one``, ``many-to-one`` (group_left), ``one-to-many`` (group_right) or ``many-to-many``.
    :ivar on: the labels are those to match on; otherwise those to ignore.
    :ivar include: labels that the "one" side adds.
    :ivar fill: values for a missing left and right side.
    """

    op: str
    left: Node
    right: Node
    returns_bool: bool = False
    card: str = "one-to-one"
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    fill: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus."""

    expr: Node


@dataclass(frozen=True, slots=True)
class Parens:
    """An expression in parentheses."""

    expr: Node


Node: TypeAlias = (
    Number | String | Selector | MatrixSelector | Subquery | Call | Aggregation | Binary | Negation | Parens
)
"""Any expression."""


def bare(node: Node) -> Node:
    """The node without parentheses around it."""
    while isinstance(node, Parens):
        node = node.expr
    return node


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node, in order."""
    match node:
        case MatrixSelector(selector):
            return (selector,)
        case Subquery(expr) | Negation(expr) | Parens(expr):
            return (expr,)
        case Call(_, args):
            return args
        case Aggregation(_, expr, param):
            return (expr,) if param is None else (param, expr)
        case Binary(_, left, right):
            return (left, right)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)
