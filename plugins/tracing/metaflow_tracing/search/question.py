"""What a search asks: which rows, how long their trace, which attributes to show."""

from __future__ import annotations

from dataclasses import dataclass, field

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.expression import And, Compare, Expr, Literal

__all__ = ["ALL", "EVER", "Bounds", "Question"]

ALL = Compare("=", Literal(1), Literal(1))
"""True of every row."""

EVER = 1 << 62
"""Longer than any trace, in microseconds."""


@dataclass(slots=True)
class Bounds:
    """How long a trace may be, in microseconds: no row knows it, so it is looked at when the trace is there."""

    shortest: int = 0
    longest: int = EVER

    def narrow(self, op: str, microseconds: int) -> None:
        """One comparison more, all of which must hold.

        :raises UnsupportedQuery: lengths are compared by order, or by ``=``.
        """
        if op not in ("=", "<", "<=", ">", ">="):
            raise UnsupportedQuery(f"the duration of a trace cannot be compared with {op}; write = < <= > >=")
        if op in ("=", ">", ">="):
            self.shortest = max(self.shortest, microseconds + (op == ">"))
        if op in ("=", "<", "<="):
            self.longest = min(self.longest, microseconds - (op == "<"))


@dataclass(slots=True)
class Question:
    """A search. :ivar shown: attributes to be told of each row, as they were written."""

    condition: Expr = ALL
    bounds: Bounds = field(default_factory=Bounds)
    shown: tuple[str, ...] = ()

    @staticmethod
    def of(parts: list[Expr], bounds: Bounds, shown: tuple[str, ...] = ()) -> Question:
        """All of these conditions."""
        return Question(And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else ALL, bounds, shown)
