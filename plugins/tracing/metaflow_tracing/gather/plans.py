"""The plans that fetch rows of a trace."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metaflow_core.model.expression import And, Compare, Expr, In, Literal, Or, Ref, Value
from metaflow_core.query import Filter, Limit, Named, Plan, Project, Scan, Sort, SortKey, TimeRange
from metaflow_tracing.spans import COLUMNS, TAGS

__all__ = ["TABLE", "any_of", "both", "linking", "rows", "same_id", "spellings", "window"]

TABLE = "flow_log.l7_flow_log"
_S = 1_000_000_000
_LONG, _SHORT = 32, 16


def rows(predicate: Expr, time: TimeRange | None, most: int) -> Plan:
    """Rows for which a predicate is true, with everything that assembly needs; one more than ``most``, so that a cut shows."""
    columns = tuple(Named(name, Ref(name)) for name in (*COLUMNS, *TAGS))
    return Limit(Project(Filter(Scan(TABLE, time=time), predicate), columns), most + 1)


def linking(
    names: Iterable[str], time: TimeRange | None, most: int, predicate: Expr | None = None, *, is_latest: bool = False
) -> Plan:
    """The linking columns of rows, and what they are found by again; one more than ``most``.

    :param predicate: which rows; None for every one of the time. :param is_latest: the latest of them, where there are more.
    """
    listed = dict.fromkeys(("flow_id", "start_time", "end_time", *names))
    source: Plan = Scan(TABLE, time=time)
    if predicate is not None:
        source = Filter(source, predicate)
    if is_latest:
        source = Sort(source, (SortKey("time", descending=True),))
    return Project(Limit(source, most + 1), tuple(Named(name, Ref(name)) for name in listed))


def same_id(column: str, values: Iterable[Value]) -> Expr:
    """The column holds one of these values."""
    listed = tuple(Literal(value) for value in values)
    return Compare("=", Ref(column), listed[0]) if len(listed) == 1 else In(Ref(column), listed)


def any_of(parts: Collection[Expr]) -> Expr:
    """One of several predicates."""
    listed = tuple(parts)
    return listed[0] if len(listed) == 1 else Or(listed)


def both(one: Expr, other: Expr) -> Expr:
    """Two predicates."""
    return And((one, other))


def window(start_us: int, end_us: int, margin_s: float) -> TimeRange:
    """The seconds in which rows between two moments end, and a margin on both sides."""
    margin = int(margin_s * _S)
    start = start_us * 1000 - margin
    return TimeRange(max(0, start - start % _S), end_us * 1000 + margin + _S)


def spellings(trace_id: str) -> list[str]:
    """An id as senders write it: tools fill short ids up with zeros, or leave zeros out, and change the case of hexadecimal digits."""
    found = [trace_id]
    bare = trace_id.lower()
    if bare and all(char in "0123456789abcdef" for char in bare) and len(bare) <= _LONG:
        short = bare.lstrip("0")
        found += [bare, short.rjust(_LONG, "0")]
        if len(short) <= _SHORT:
            found += [short.rjust(_SHORT, "0"), short]
    return list(dict.fromkeys(each for each in found if each.strip("0")))
