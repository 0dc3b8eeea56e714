"""A question as a tree of plain nodes: what dialects compile to and storages execute. No SQL text, no storage in it.

Each node takes the rows of its input and gives rows with named columns. Two kinds of aggregate stand in an :class:`Aggregate`:

* a :class:`Measure` names a function of the catalogue (``Avg`` of a delay, ``Percentage``, ``Apdex``): what a person means;
* a :class:`Fold` is one of a few exact operations (sum, min, count, ...): what a storage does.

:func:`metaflow_core.query.prepare.prepare` checks a plan against the catalogue and turns measures into folds, metrics into columns,
names of enumeration members into numbers, and tags into :class:`Resolve` nodes. A storage therefore sees only stored columns, folds
and the functions of :mod:`metaflow_core.query.functions`.

Moments are integers of nanoseconds in :class:`TimeRange`, and of the column's own unit in expressions. Intervals are closed on the
left and open on the right, unless a filter says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from metaflow_core.model.catalog.values import Tag
from metaflow_core.model.expression import Expr, Value

__all__ = [
    "Aggregate",
    "Combine",
    "Fill",
    "Filter",
    "Fold",
    "Grid",
    "Limit",
    "Measure",
    "Named",
    "Plan",
    "Project",
    "Resolution",
    "Resolve",
    "Scan",
    "SemiJoin",
    "Sort",
    "SortKey",
    "TimeRange",
    "inputs",
]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Moments from ``start_ns`` on and before ``end_ns``, in nanoseconds since 1970."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Named:
    """An expression and the name of the column it becomes."""

    name: str
    expression: Expr


@dataclass(frozen=True, slots=True)
class Measure:
    """A function of the catalogue over a metric, column or tag, e.g. ``Percentile(rrt, 95)``.

    :ivar function: a name in ``Catalog.functions``.
    :ivar arguments: expressions over the input (usually one name), then the function's numbers as literals.
    """

    name: str
    function: str
    arguments: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """An exact aggregate operation. Missing values are passed over; of no value at all the result is missing (counts: 0).

    :ivar op: a name in :data:`metaflow_core.query.functions.FOLDS`.
    :ivar argument: what is folded; None for ``count`` of rows.
    :ivar parameters: numbers of the operation, e.g. the level of a quantile.
    :ivar where: only rows for which this is true are folded; None for all.
    """

    name: str
    op: str
    argument: Expr | None = None
    parameters: tuple[Value, ...] = ()
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows of a table.

    :ivar table: full name with precision, e.g. ``flow_metrics.network.1m``.
    :ivar columns: stored columns to read; empty means all of them.
    :ivar time: range of the table's time column; None for all rows. A storage uses it to skip partitions, and keeps to it exactly.
    """

    table: str
    columns: tuple[str, ...] = ()
    time: TimeRange | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which the predicate is true (not false, not missing)."""

    input: Plan
    predicate: Expr


@dataclass(frozen=True, slots=True)
class Project:
    """Exactly these columns, computed from the input's."""

    input: Plan
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row for each different combination of keys (one row in all when there are no keys, even of no rows).

    A key ``bucket(time, 60)`` groups by minute. A missing key is a key of its own.
    """

    input: Plan
    keys: tuple[Named, ...]
    measures: tuple[Measure | Fold, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """A tag to be resolved and the column it becomes.

    :ivar tag: which columns it comes from, and through which dictionary.
    :ivar key: for a tag that is a map, the key wanted; empty for the whole map as a JSON text.
    """

    name: str
    tag: Tag
    key: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """The input's columns and the names of tags beside them, as they were valid at the row's time.

    A storage looks ids up in its dictionaries; an id of 0, or one that does not apply (``tag.when``), is an empty text. See
    :func:`metaflow_core.query.late.late` for resolving after grouping, which is much cheaper.
    """

    input: Plan
    outputs: tuple[Resolution, ...]


@dataclass(frozen=True, slots=True)
class Combine:
    """Inputs with the same keys, one row a key each, side by side: a full outer join in which missing keys are equal."""

    inputs: tuple[Plan, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """Rows of the input whose combination of ``keys`` occurs in ``other`` (under the same names): the best series, a sub-query."""

    input: Plan
    keys: tuple[str, ...]
    other: Plan


@dataclass(frozen=True, slots=True)
class SortKey:
    """Order by one column; missing values come last in either direction."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """Rows in order. Rows that compare equal keep the order they came in."""

    input: Plan
    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` rows, after passing over ``offset``."""

    input: Plan
    count: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Fill:
    """Adds the buckets that no row fell into, for every combination of the other keys that occurs.

    :ivar bucket: the column that holds the start of the bucket; :ivar step_s: its length in seconds.
    :ivar start_s: first bucket; :ivar end_s: no bucket from here on (both in seconds, aligned like the buckets).
    :ivar keys: the other keys. :ivar value: what the other columns of an added row hold: None or 0.
    """

    input: Plan
    bucket: str
    step_s: int
    start_s: int
    end_s: int
    keys: tuple[str, ...] = ()
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """PromQL's leaf: for every series and every step one number over the window that ends there.

    Gives the series columns and ``values``, a list with one entry a step (missing where the window held no sample). Windows are
    open on the left and closed on the right: ``(t - window, t]``. A storage that cannot do it raises
    :class:`~metaflow_core.errors.UnsupportedQuery`, and the dialect reads the samples instead.

    :ivar series: columns that identify a series. :ivar time: a column of moments. :ivar value: a column of numbers.
    :ivar function: ``last``, ``rate``, ``increase``, ``delta``, ``irate``, ``idelta``, ``sum``, ``avg``, ``min``, ``max``, ``count``,
        ``changes``, ``resets``, ``deriv``, ``predict_linear``; with PromQL's meaning.
    :ivar parameters: numbers of the function.
    """

    input: Plan
    series: tuple[str, ...]
    time: str
    value: str
    function: str
    start_ns: int
    end_ns: int
    step_ns: int
    window_ns: int
    parameters: tuple[Value, ...] = field(default=())


Plan: TypeAlias = Scan | Filter | Project | Aggregate | Resolve | Combine | SemiJoin | Sort | Limit | Fill | Grid
"""Any plan."""


def inputs(plan: Plan) -> tuple[Plan, ...]:
    """The inputs of a node, in order."""
    match plan:
        case Scan():
            return ()
        case Combine(inputs=many):
            return many
        case SemiJoin(input=one, other=other):
            return (one, other)
        case _:
            return (plan.input,)
