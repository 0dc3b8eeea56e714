"""Calls of aggregate functions as measures of a plan, each different one once."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog, Column, Function, Metric
from metaflow_core.model.expression import Expr, Literal, Ref, references
from metaflow_core.query import Fold, Measure
from metaflow_dialect_sql.convert import Converter
from metaflow_dialect_sql.fields import Field, Fields, kind_of
from metaflow_dialect_sql.statements import at

__all__ = ["Asked", "Measures", "aggregate_names"]

_ALIASES = {"countdistinct": "UniqExact", "quantile": "Percentile"}
_ROWS = frozenset({"row", "log_count"})


def aggregate_names(catalog: Catalog) -> dict[str, str]:
    """Aggregate functions by lower-case name, with the names that other dialects have for them."""
    return {**{name.lower(): name for name in catalog.functions}, "countdistinct": "UniqExact"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One measure, and what is known of its result.

    :ivar column: the catalogue's column whose values come out (``Any``, ``TopK``, ``Max`` of a time); None for numbers of their own.
    :ivar is_derivative: the measure is the value per bucket, from which the change is computed.
    """

    measure: Measure | Fold
    function: str
    unit: str
    column: Column | None = None
    is_derivative: bool = False
    place: int | None = None


@dataclass
class Measures:
    """The measures of one question."""

    fields: Fields
    asked: list[Asked] = field(default_factory=list)
    _inside: bool = False

    def __call__(self, node: exp.Anonymous, converter: Converter) -> Expr:
        """The name that a call's result will have below.

        :raises QuerySyntaxError: the function makes no sense for what it is asked of; legal ones are listed.
        """
        place = at(node)
        if self._inside:
            raise QuerySyntaxError(f"{node.this} stands inside of another function over many rows", place)
        self._inside = True
        try:
            asked = self._ask(node, converter, place)
        finally:
            self._inside = False
        for known in self.asked:
            if (_without_name(known.measure), known.function) == (_without_name(asked.measure), asked.function):
                return Ref(known.measure.name, place)
        self.asked.append(asked)
        return Ref(asked.measure.name, place)

    def by_name(self, name: str) -> Asked | None:
        """The measure of a name."""
        return next((each for each in self.asked if each.measure.name == name), None)

    def needs_range(self, has_bucket: bool) -> bool:
        """Whether the length of the whole range of time matters."""
        if has_bucket:
            return False
        return any(
            each.function == "PerSecond" or (each.function in ("Avg", "Min") and self._is_layered(each))
            for each in self.asked
        )

    def _is_layered(self, asked: Asked) -> bool:
        if not self.fields.table.interval_s or not isinstance(asked.measure, Measure):
            return False
        first = asked.measure.arguments[0]
        found = self.fields.find(first.name) if isinstance(first, Ref) else None
        return found is None or kind_of(found) == "counter"

    def _ask(self, node: exp.Anonymous, converter: Converter, place: int | None) -> Asked:
        catalog = self.fields.catalog
        function = catalog.function(aggregate_names(catalog)[str(node.this).lower()])
        name = f"m{len(self.asked)}"
        nodes = list(node.expressions)
        if nodes and isinstance(nodes[0], exp.Distinct):
            if function.name != "Count" or len(nodes) != 1 or len(nodes[0].expressions) != 1:
                raise QuerySyntaxError("DISTINCT stands in Count(DISTINCT x), with one column", place)
            function, nodes = catalog.function("UniqExact"), nodes[0].expressions
        if function.name == "Count" and (not nodes or isinstance(nodes[0], exp.Star | exp.Literal)) and len(nodes) < 2:
            return Asked(Measure(name, "Count"), "Count", "", place=place)
        arguments = tuple(converter.expr(each) for each in nodes)
        self._check_arguments(function, arguments, place)
        first = arguments[0]
        subject = self._subject(first)
        unit = _unit(function, subject)
        if isinstance(subject, Column) and subject.kind == "time" and function.name in ("Max", "Min"):
            return Asked(Fold(name, function.name.lower(), first), function.name, "", subject, place=place)
        if function.name == "Count" and isinstance(first, Ref) and first.name in _ROWS:
            return Asked(Measure(name, "Count"), "Count", "", place=place)
        self._check_kind(function, first, subject, place)
        column = (
            subject if isinstance(subject, Column) and function.name in ("Any", "TopK", "Last", "Max", "Min") else None
        )
        if function.name == "Derivative":
            kind = "counter" if subject is None else kind_of(subject)
            return Asked(
                Measure(name, "Sum" if kind == "counter" else "AAvg", arguments), "Derivative", unit, None, True, place
            )
        return Asked(Measure(name, function.name, arguments), function.name, unit, column, place=place)

    def _check_arguments(self, function: Function, arguments: tuple[Expr, ...], place: int | None) -> None:
        written = f"{function.name}({', '.join(function.arguments)})"
        least = sum(not each.startswith("[") for each in function.arguments)
        if not least <= len(arguments) <= len(function.arguments):
            raise QuerySyntaxError(f"{function.name} is written {written}, found {len(arguments)} arguments", place)
        for wanted, argument in zip(function.arguments, arguments, strict=False):
            is_number = (
                isinstance(argument, Literal)
                and isinstance(argument.value, int | float)
                and not isinstance(argument.value, bool)
            )
            if wanted in ("metric", "column", "[column]"):
                if isinstance(argument, Literal):
                    raise QuerySyntaxError(
                        f"{function.name} is written {written}; {argument.value!r} is no {wanted.strip('[]')}",
                        argument.at or place,
                    )
                continue
            if not is_number:
                raise QuerySyntaxError(f"{function.name} is written {written}; {wanted} is a number", place)
            self._check_number(function, wanted, argument, place)

    def _check_number(self, function: Function, wanted: str, argument: Expr, place: int | None) -> None:
        assert isinstance(argument, Literal)
        value = argument.value
        assert isinstance(value, int | float)
        low, high = {"percent": (0, 100), "number": (1, 1000), "buckets": (1, 1000), "threshold": (0, 10**15)}.get(
            wanted, (0, 10**15)
        )
        if not low <= value <= high:
            raise QuerySyntaxError(
                f"{wanted} of {function.name} lies between {low} and {high}, found {value}", argument.at or place
            )
        if wanted in ("number", "buckets") and not isinstance(value, int):
            raise QuerySyntaxError(f"{wanted} of {function.name} is a whole number", argument.at or place)

    def _subject(self, node: Expr) -> Field | None:
        """The field that a function is asked of; None for an expression."""
        for name in references(node):
            self.fields.need(name, node.at if isinstance(node, Ref) else None)
        return self.fields.find(node.name) if isinstance(node, Ref) else None

    def _check_kind(self, function: Function, node: Expr, subject: Field | None, place: int | None) -> None:
        if subject is not None:
            kind, label = kind_of(subject), subject.name
            if isinstance(node, Ref):
                label = node.name
        else:
            kinds = {kind_of(found) for name in references(node) if (found := self.fields.find(name)) is not None}
            kind, label = ("counter" if kinds == {"counter"} else "other"), "the expression"
        if kind in function.kinds:
            return
        legal = ", ".join(each.name for each in self.fields.catalog.functions.values() if kind in each.kinds)
        raise QuerySyntaxError(f"{function.name} makes no sense for {label}, a {kind}; legal are {legal}", place)


def _without_name(measure: Measure | Fold) -> object:
    if isinstance(measure, Measure):
        return measure.function, measure.arguments
    return measure.op, measure.argument


def _unit(function: Function, subject: Field | None) -> str:
    unit = subject.unit if isinstance(subject, Column | Metric) else ""
    match function.result:
        case "count" | "list" | "ratio":
            return ""
        case "percent":
            return "%"
        case "rate":
            return f"{unit}/s"
        case _:
            return unit if unit != "s" or not (isinstance(subject, Column) and subject.kind == "time") else ""
