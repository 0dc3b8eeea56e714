"""Turns the functions of the catalogue into folds: what ``Avg`` of a delay or ``Percentage`` means is decided here, once.

What depends on the kind of the metric:

* a *ratio* (percentage, quotient, delay made by a division) is the sum of numerators by the sum of denominators; its value in one
  row is missing where the denominator is 0; a percentage is at most 100;
* a *delay* of 0 is no measurement;
* a *counter* in a table of intervals (1s, 1m) is first summed per interval over everything that the keys join together: ``Max`` is
  the greatest sum of an interval, ``Avg`` counts missing intervals as 0, ``Min`` is 0 when an interval is missing. In a table of
  single rows ``Avg`` is the mean of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.values import Column, Function, Metric, Tag
from metaflow_core.model.expression import And, Arithmetic, Call, Compare, Expr, Literal, Ref, references
from metaflow_core.query.bind import bind
from metaflow_core.query.plan import Fold, Measure
from metaflow_core.query.scope import Scope

__all__ = ["Lowered", "lower_measure"]

_LAYERED = frozenset(
    {"AAvg", "Max", "Min", "Percentile", "PercentileExact", "Stddev", "Spread", "Rspread", "Last", "Histogram"}
)
_HUNDRED, _ONE, _ZERO = Literal(100), Literal(1), Literal(0)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A measure as folds and what is computed from them.

    :ivar folds: over the input, or over the sums per interval when ``inner`` is set.
    :ivar result: the measure, over the names of the folds.
    :ivar inner: the fold per interval that must come first; None for most.
    """

    folds: tuple[Fold, ...]
    result: Expr
    inner: Fold | None = None


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a function is applied to: its kind, its value in one row, its parts when it is a ratio."""

    label: str
    kind: str
    value: Expr
    ratio: tuple[Expr, Expr] | None = None

    @property
    def per_row(self) -> Expr:
        """The value in one row; missing where there is no measurement."""
        if self.ratio is not None:
            numerator, denominator = self.ratio
            quotient = self.scaled(Arithmetic("/", numerator, denominator))
            return Call("if", (Compare(">", denominator, _ZERO), quotient, Literal(None)))
        if self.kind == "delay":
            return Call("if", (Compare(">", self.value, _ZERO), self.value, Literal(None)))
        if self.kind == "bounded_gauge":
            return Call("if", (Compare("!=", self.value, _ZERO), self.value, Literal(None)))
        return self.value

    def scaled(self, quotient: Expr) -> Expr:
        if self.kind != "percentage":
            return quotient
        return Arithmetic("*", Call("least", (quotient, _ONE)), _HUNDRED)


def lower_measure(measure: Measure, scope: Scope, seconds: float | None) -> Lowered:
    """A measure as folds.

    :param scope: of the aggregate's input. :param seconds: length of a bucket, or of the whole range; None when unknown.
    :raises QueryError: there is no such function, or it makes no sense for its argument; the legal ones are listed.
    :raises UnsupportedQuery: the length of time is not known but needed.
    """
    catalog = scope.catalog
    function = catalog.function(measure.function)
    subject = _subject(measure, function, scope)
    _check(function, subject, catalog)
    numbers = [argument.value for argument in measure.arguments if isinstance(argument, Literal)]
    wanted = sum(each not in ("metric", "column") and not each.startswith("[") for each in function.arguments)
    if len(numbers) != wanted or not all(isinstance(n, int | float) for n in numbers):
        raise QueryError(f"{function.name} takes ({', '.join(function.arguments)})")
    table = scope.table
    if table is not None and table.interval_s and subject.kind == "counter" and function.name in _LAYERED:
        inner = Fold(f"{measure.name}#i", "sum", subject.value)
        layered = _Subject(subject.label, "gauge", Ref(inner.name))
        folds, result = _folds(
            measure, function.name, layered, numbers=numbers, scope=scope, seconds=seconds, time="#time"
        )
        if function.name == "Min" and seconds is not None:
            folds = (*folds, Fold(f"{measure.name}#n", "count"))
            missing = Compare("<", Ref(f"{measure.name}#n"), Literal(seconds / table.interval_s))
            result = Call("if", (missing, Call("least", (result, _ZERO)), result))
        return Lowered(folds, result, inner)
    folds, result = _folds(
        measure,
        function.name,
        subject,
        numbers=numbers,
        scope=scope,
        seconds=seconds,
        time=table.time if table else "time",
    )
    return Lowered(folds, result)


def _subject(measure: Measure, function: Function, scope: Scope) -> _Subject:
    arguments = [each for each in measure.arguments if not isinstance(each, Literal)]
    if not arguments:
        if function.name == "Count":
            return _Subject("rows", "tag", Literal(None))
        raise QueryError(f"{function.name} takes ({', '.join(function.arguments)})")
    node = arguments[0]
    bound = bind(node, scope)
    field = _field(node, scope)
    if isinstance(field, Metric) and field.ratio is not None:
        numerator, denominator = field.ratio
        return _Subject(field.name, field.kind, bound, (numerator, denominator))
    if isinstance(field, Metric):
        return _Subject(field.name, field.kind, bound)
    if isinstance(field, Column):
        kind = "tag" if field.kind in ("id", "text", "time", "attribute", "blob") else field.kind
        return _Subject(field.name, kind, bound)
    if isinstance(field, Tag):
        return _Subject(field.name, "tag", bound)
    return _Subject("the expression", _kind_of(node, scope), bound)


def _field(node: Expr, scope: Scope) -> Column | Metric | Tag | None:
    if not isinstance(node, Ref):
        return None
    if scope.table is not None:
        return scope.table.by_name.get(node.name)
    return scope.columns.get(node.name)


def _kind_of(node: Expr, scope: Scope) -> str:
    """Of an expression: counter when it is made of counters and numbers by addition and scaling, else other."""
    if scope.table is None:
        return "other"
    kinds = {field.kind for name in references(node) if (field := scope.table.by_name.get(name)) is not None}
    return "counter" if kinds == {"counter"} else "other"


def _check(function: Function, subject: _Subject, catalog: Catalog) -> None:
    if subject.kind in function.kinds:
        return
    legal = ", ".join(each.name for each in catalog.functions.values() if subject.kind in each.kinds)
    raise QueryError(f"{function.name} makes no sense for {subject.label}, a {subject.kind}; legal are {legal}")


def _folds(
    measure: Measure,
    function: str,
    subject: _Subject,
    *,
    numbers: Sequence[object],
    scope: Scope,
    seconds: float | None,
    time: str,
) -> tuple[tuple[Fold, ...], Expr]:
    name = measure.name
    value = subject.per_row
    first, second = Ref(f"{name}#0"), Ref(f"{name}#1")

    def one(op: str, *parameters: float | str, argument: Expr | None = value) -> tuple[tuple[Fold, ...], Expr]:
        return (Fold(first.name, op, argument, parameters),), first

    def two(left: Fold, right: Fold, operator: str = "/") -> tuple[tuple[Fold, ...], Expr]:
        return (left, right), Arithmetic(operator, first, second)

    number = numbers[0] if numbers and isinstance(numbers[0], int | float) else 0
    match function:
        case "Count":
            rows = subject.label in ("rows", "row", "log_count")
            return one("count", argument=None if rows else subject.value)
        case "Sum":
            return one("sum")
        case "PerSecond":
            folds, total = one("sum")
            return folds, Arithmetic("/", total, Literal(_length(function, seconds)))
        case "Avg" if subject.kind == "counter" and scope.table is not None and scope.table.interval_s:
            folds, total = one("sum")
            return folds, Arithmetic("/", total, Literal(_length(function, seconds) / scope.table.interval_s))
        case "Avg" if subject.ratio is not None:
            numerator, denominator = subject.ratio
            some = Compare(">", denominator, _ZERO)
            folds, quotient = two(
                Fold(first.name, "sum", numerator, where=some), Fold(second.name, "sum", denominator, where=some)
            )
            return folds, subject.scaled(quotient)
        case "Avg" | "AAvg":
            return two(Fold(first.name, "sum", value), Fold(second.name, "count", value))
        case "Max" | "Min" | "Stddev" | "Any":
            return one(function.lower())
        case "Last":
            if scope.table is not None and time in scope.families:
                scope.used[time] = None
            return one("last", time)
        case "Percentile":
            return one("quantile", number / 100)
        case "PercentileExact":
            return one("quantile_exact", number / 100)
        case "Spread" | "Rspread":
            operator = "-" if function == "Spread" else "/"
            return two(Fold(first.name, "max", value), Fold(second.name, "min", value), operator)
        case "Percentage":
            other = _second_metric(measure, scope)
            folds, quotient = two(Fold(first.name, "sum", subject.value), Fold(second.name, "sum", other))
            return folds, Arithmetic("*", quotient, _HUNDRED)
        case "Apdex":
            return _apdex(name, value, number)
        case "Uniq":
            return one("uniq", argument=subject.value)
        case "UniqExact":
            return one("uniq_exact", argument=subject.value)
        case "TopK" | "Histogram":
            return one(function.lower(), int(number))
    raise UnsupportedQuery(f"{function} cannot be computed by a storage; the dialect must do it over time buckets")


def _length(function: str, seconds: float | None) -> float:
    if not seconds:
        raise UnsupportedQuery(
            f"{function} needs a length of time: group by bucket(time, ...) or give the range of the scan"
        )
    return seconds


def _second_metric(measure: Measure, scope: Scope) -> Expr:
    arguments = [each for each in measure.arguments if not isinstance(each, Literal)]
    if len(arguments) != 2:
        raise QueryError("Percentage takes (metric, metric)")
    return bind(arguments[1], scope)


def _apdex(name: str, value: Expr, threshold: float) -> tuple[tuple[Fold, ...], Expr]:
    within = Compare("<=", value, Literal(threshold))
    bearable = And((Compare(">", value, Literal(threshold)), Compare("<=", value, Literal(4 * threshold))))
    folds = (
        Fold(f"{name}#0", "count", value, where=within),
        Fold(f"{name}#1", "count", value, where=bearable),
        Fold(f"{name}#2", "count", value),
    )
    good = Arithmetic("+", Ref(f"{name}#0"), Arithmetic("*", Ref(f"{name}#1"), Literal(0.5)))
    return folds, Arithmetic("*", Arithmetic("/", good, Ref(f"{name}#2")), _HUNDRED)
