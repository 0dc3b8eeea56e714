"""The range of time that a condition keeps: taken out of WHERE, so that a storage can skip what lies outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Column
from metaflow_core.model.expression import And, Compare, Expr, Literal, Ref
from metaflow_core.query import TimeRange

__all__ = ["Span", "aligned", "split"]

_NS = {"time_s": 1_000_000_000, "time_us": 1_000, "time_ns": 1}
_EPOCH = datetime.fromtimestamp(0, UTC)
_FAR_NS = 2**62


@dataclass(frozen=True, slots=True)
class Span:
    """A range of moments in nanoseconds, closed on the left; None for an open side."""

    start_ns: int | None = None
    end_ns: int | None = None

    @property
    def is_whole(self) -> bool:
        """Both sides are known."""
        return self.start_ns is not None and self.end_ns is not None

    def filled(self, other: TimeRange) -> TimeRange:
        """With the open sides taken from another range."""
        start = other.start_ns if self.start_ns is None else self.start_ns
        end = other.end_ns if self.end_ns is None else self.end_ns
        return TimeRange(start, max(start, end))

    def range(self) -> TimeRange | None:
        """As a plan has it; None when a side is open."""
        if self.start_ns is None or self.end_ns is None:
            return None
        return TimeRange(self.start_ns, max(self.start_ns, self.end_ns))


def split(predicate: Expr | None, time: Column) -> tuple[Span, Expr | None]:
    """The range that the predicate sets for the column of time, and what else it asks.

    Only conditions joined by ``and`` at the top count; a side that stays open leaves its conditions in the predicate.

    :raises QuerySyntaxError: a time is no time.
    """
    if predicate is None:
        return Span(), None
    items = list(predicate.items) if isinstance(predicate, And) else [predicate]
    flat: list[Expr] = []
    for item in items:
        flat.extend(item.items if isinstance(item, And) else (item,))
    start: int | None = None
    end: int | None = None
    rest: list[Expr] = []
    unit = _NS[time.type]
    for item in flat:
        match item:
            case Compare(op, Ref(name), Literal() as literal) if name == time.name and op != "!=":
                low, high = _sides(op, _value(literal, unit), unit)
                start = low if start is None else start if low is None else max(start, low)
                end = high if end is None else end if high is None else min(end, high)
            case _:
                rest.append(item)
    span = Span(start, end)
    if not span.is_whole:
        return span, predicate
    return span, (None if not rest else rest[0] if len(rest) == 1 else And(tuple(rest)))


def _value(literal: Literal, unit: int) -> int:
    """In nanoseconds."""
    value = literal.value
    if isinstance(value, int) and not isinstance(value, bool):
        return min(value * unit, _FAR_NS)
    if isinstance(value, float):
        return min(int(value * unit), _FAR_NS)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise QuerySyntaxError(
                f"{value!r} is no time such as '2026-11-21 06:30:00' or '2026-11-21T06:30:00Z'", literal.at
            ) from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    raise QuerySyntaxError(f"{value!r} is no time such as '2026-11-21 06:30:00', and no number of seconds", literal.at)


def _sides(op: str, value: int, unit: int) -> tuple[int | None, int | None]:
    """A moment of the column stands for ``unit`` nanoseconds; bounds between two moments are rounded up."""
    first = -(-value // unit) * unit
    after = (value // unit + 1) * unit
    match op:
        case ">=":
            return first, None
        case ">":
            return after, None
        case "<":
            return None, first
        case "<=":
            return None, after
        case _:
            return first, after


def aligned(span: TimeRange, interval_s: int) -> TimeRange:
    """The range widened to whole intervals where rows stand for intervals: it holds the same rows, and its length is that of theirs."""
    if not interval_s:
        return span
    step = interval_s * 1_000_000_000
    start, end = -(-span.start_ns // step) * step, -(-span.end_ns // step) * step
    return TimeRange(start, max(start, end))
