"""The steps of a query, and which samples its selectors need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from metaflow_dialect_promql.syntax.nodes import (
    Aggregation,
    At,
    Call,
    MatrixSelector,
    Node,
    Selector,
    Subquery,
    bare,
    children,
)
from metaflow_dialect_promql.values import Ints

__all__ = ["Need", "Span", "Steps", "needs"]


@dataclass(frozen=True, slots=True)
class Steps:
    """Moments at which an expression is evaluated, in milliseconds, both ends included.

    :ivar first: start of the whole query, what ``@ start()`` means; :ivar last: its end.
    """

    start: int
    end: int
    step: int
    first: int
    last: int

    @property
    def times(self) -> Ints:
        """Every step."""
        return np.arange(self.start, self.end + 1, max(self.step, 1), dtype=np.int64)

    @property
    def count(self) -> int:
        """How many there are."""
        return max(0, (self.end - self.start) // max(self.step, 1) + 1)

    def at(self, at: At) -> int | None:
        """The moment an ``@`` modifier fixes; None where it fixes none."""
        return self.first if at == "start" else self.last if at == "end" else at

    def fixed(self, at: At) -> Steps:
        """These steps, or the one that an ``@`` modifier fixes."""
        moment = self.at(at)
        return self if moment is None else Steps(moment, moment, 1, self.first, self.last)

    def inside(self, node: Subquery, default_step: int) -> Steps:
        """The steps of a subquery: multiples of its step after the left end of the first window, up to the last window's end."""
        outer = self.fixed(node.at)
        step = node.step_ms or default_step
        left = outer.start - node.offset_ms - node.range_ms
        # Windows are open on the left: a step that falls on the end is outside.
        start = (left // step + 1) * step
        return Steps(start, outer.end - node.offset_ms, step, self.first, self.last)


@dataclass(frozen=True, slots=True)
class Span:
    """Samples after ``start`` and up to ``end``, in milliseconds."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Need:
    """A selector and the samples it needs.

    :ivar labels: the only labels that the answer depends on when the series are summed up anyway; None for all.
    """

    selector: Selector
    span: Span
    labels: tuple[str, ...] | None = None


_SUMMED = frozenset({"sum_over_time"})


def needs(node: Node, steps: Steps, lookback: int, default_step: int) -> Iterator[Need]:
    """What every selector below a node needs, in order."""
    match node:
        case Selector():
            yield _need(node, steps, lookback, None)
        case MatrixSelector(selector, range_ms):
            yield _need(selector, steps, range_ms, None)
        case Subquery():
            yield from needs(node.expr, steps.inside(node, default_step), lookback, default_step)
        case Aggregation("sum", expr, None, labels, False):
            inner = bare(expr)
            if isinstance(inner, Call) and inner.name in _SUMMED:
                inner = bare(inner.args[0])
            if isinstance(inner, Selector):
                yield _need(inner, steps, lookback, labels)
            elif isinstance(inner, MatrixSelector):
                yield _need(inner.selector, steps, inner.range_ms, labels)
            else:
                yield from needs(expr, steps, lookback, default_step)
        case _:
            for child in children(node):
                yield from needs(child, steps, lookback, default_step)


def _need(selector: Selector, steps: Steps, width: int, labels: tuple[str, ...] | None) -> Need:
    at = steps.fixed(selector.at)
    return Need(selector, Span(at.start - selector.offset_ms - width, at.end - selector.offset_ms), labels)
