"""Finds the mistakes in a catalogue: of its own data in CI, of what plugins add when they are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from metaflow_core.errors import Problem
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.catalog.values import Column, Enum, Member, Table
from metaflow_core.model.expression import references

__all__ = ["KINDS", "METRIC_KINDS", "check_enums", "check_table"]

METRIC_KINDS = ("counter", "gauge", "bounded_gauge", "delay", "percentage", "quotient", "other")
"""Kinds of a metric: they decide which aggregate functions are legal."""

KINDS = ("tag", "time", "id", "text", "blob", "attribute", *METRIC_KINDS)
"""Kinds of a column."""

_ABSENT = ("zero", "null", "must")
_ROLL = ("", "sum", "max", "min", "last")


def check_table(table: Table, enums: Mapping[str, Enum]) -> list[Problem]:
    """Every mistake in a table; empty when it is right."""
    return [Problem(f"{table.name}.{name}", message) for name, message in _mistakes(table, enums)]


def _mistakes(table: Table, enums: Mapping[str, Enum]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for column in table.columns:
        if column.name in seen:
            yield column.name, "the column exists already"
        seen.add(column.name)
        yield from ((column.name, message) for message in _column_mistakes(column, enums))
    for metric in table.metrics:
        if metric.name in seen:
            yield metric.name, "a column or metric of that name exists already"
        seen.add(metric.name)
        if metric.kind not in METRIC_KINDS:
            yield metric.name, f"the kind {metric.kind!r} is none of {', '.join(METRIC_KINDS)}"
        for name in references(metric.expression):
            if not isinstance(table.by_name.get(name), Column):
                near = suggestion(name, (c.name for c in table.columns))
                yield metric.name, f"the expression names {name!r}, which is no column of {table.name}{near}"
    for tag in table.tags:
        for name in tag.key:
            if name not in seen:
                yield tag.name, f"the tag is resolved from {name!r}, which is no column of {table.name}"
    for name in (table.time, *table.order_key):
        if name not in seen:
            yield name, f"{table.name} is ordered by {name!r}, which is no column of it{suggestion(name, seen)}"
    if table.time in seen and not table.column(table.time).type.startswith("time_"):
        yield table.time, "the time column of a table has a type of time"
    if table.name.count(".") not in (1, 2):
        yield "", f"{table.name!r} is no name of a table: expected database.table or database.table.precision"


def _column_mistakes(column: Column, enums: Mapping[str, Enum]) -> Iterator[str]:
    if not column.name.replace("_", "a").isalnum() or not column.name.isascii() or column.name[0].isdecimal():
        yield f"{column.name!r} is no name of a column: letters, digits and underscores only"
    if column.type not in TYPES:
        yield f"there is no type {column.type!r}{suggestion(column.type, TYPES)}"
    if column.kind not in KINDS:
        yield f"there is no kind {column.kind!r}{suggestion(column.kind, KINDS)}"
    if column.enum and column.enum not in enums:
        yield f"there is no enumeration {column.enum!r}{suggestion(column.enum, enums)}"
    if column.absent not in _ABSENT:
        yield f"absent is {column.absent!r}, expected one of {', '.join(_ABSENT)}"
    if column.roll not in _ROLL:
        yield f"roll is {column.roll!r}, expected one of {', '.join(_ROLL[1:])} or nothing"
    if column.kind in METRIC_KINDS and not column.roll:
        yield "a column that is a metric needs roll: how rows become one"
    if column.kind in METRIC_KINDS and column.type in TYPES and TYPES[column.type].family not in ("int", "float"):
        yield f"a metric is a number, but the type is {column.type}"
    if not column.description:
        yield "the description is missing"


def check_enums(
    known: Mapping[str, Enum], added: Sequence[Enum], members: Mapping[str, Sequence[Member]]
) -> list[Problem]:
    """Mistakes in new enumerations and new members of open ones; empty when they are right."""
    problems = [Problem(e.name, "an enumeration of that name exists already") for e in added if e.name in known]
    all_enums = {**known, **{e.name: e for e in added}}
    for name, new in members.items():
        enum = all_enums.get(name)
        if enum is None:
            problems.append(Problem(name, f"there is no such enumeration{suggestion(name, all_enums)}"))
            continue
        if not enum.open:
            problems.append(Problem(name, "the enumeration is closed: plugins cannot add members to it"))
        names = {member.value: member.name for member in enum.members}
        for member in new:
            if names.setdefault(member.value, member.name) != member.name:
                message = f"{member.value} is {names[member.value]!r} already and cannot be {member.name!r} too"
                problems.append(Problem(name, message))
    return problems
