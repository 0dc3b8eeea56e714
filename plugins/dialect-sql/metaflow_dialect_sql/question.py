"""A SELECT with its names understood, before it is a plan: what is asked, grouped, kept and ordered."""

from __future__ import annotations

from dataclasses import dataclass, field

from metaflow_core.model.expression import Expr
from metaflow_core.query import Fold, Measure, TimeRange
from metaflow_dialect_sql.calls import Bucket
from metaflow_dialect_sql.fields import Fields
from metaflow_dialect_sql.measures import Measures
from metaflow_dialect_sql.outputs import Output
from metaflow_dialect_sql.timerange import Span

__all__ = ["INTERVAL", "Item", "Ordering", "Question", "Series"]

INTERVAL = "#interval"
"""Stands for the length of a bucket, or of the whole range, until that is known."""


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the select list: its expression over keys (``k0``) and measures (``m0``), or over the table."""

    output: Output
    expression: Expr


@dataclass(frozen=True, slots=True)
class Ordering:
    """Order by an expression; ``name`` is the column that holds it."""

    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Series:
    """``SLIMIT``: so many combinations of the keys that are no bucket, by an expression over measures."""

    count: int
    expression: Expr
    descending: bool


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a SELECT asks.

    :ivar span: the range of time in WHERE. :ivar where: what else it asks of rows.
    :ivar keys: names and expressions to group by; None for rows as they are. :ivar bucket_key: which key is the bucket.
    :ivar hidden: columns that only the order or filling needs. :ivar limit: None for the default.
    """

    fields: Fields
    items: tuple[Item, ...]
    span: Span
    where: Expr | None
    keys: tuple[tuple[str, Expr], ...] | None
    measures: Measures
    bucket: Bucket | None = None
    bucket_key: str = ""
    having: Expr | None = None
    hidden: tuple[Item, ...] = ()
    order: tuple[Ordering, ...] = ()
    series: Series | None = None
    limit: int | None = None
    offset: int = 0
    asks_interval: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def folds(self) -> tuple[Measure | Fold, ...]:
        """The measures as a plan has them."""
        return tuple(each.measure for each in self.measures.asked)

    @property
    def derivatives(self) -> tuple[str, ...]:
        """Output columns whose change is wanted."""
        names = {each.measure.name for each in self.measures.asked if each.is_derivative}
        return tuple(item.output.name for item in self.items if getattr(item.expression, "name", "") in names)

    @property
    def needs_range(self) -> bool:
        """The ends of the range of time must be known."""
        if self.span.is_whole:
            return False
        has_bucket = self.bucket is not None and self.series is None
        fills = self.bucket is not None and self.bucket.fill != "none"
        return self.measures.needs_range(has_bucket) or fills or (self.asks_interval and self.bucket is None)

    def seconds(self, span: TimeRange | None) -> float | None:
        """The length that ``Time_interval`` stands for."""
        if self.bucket is not None:
            return float(self.bucket.step_s)
        return None if span is None else (span.end_ns - span.start_ns) / 1e9
