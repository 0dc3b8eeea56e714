"""Gives the names in an expression their meaning: columns, other metrics, members of enumerations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from metaflow_core.errors import ConfigError, QuerySyntaxError
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.model.catalog.rows import Row
from metaflow_core.model.catalog.values import Column, Enum, Metric
from metaflow_core.model.expression import Call, Compare, Expr, In, Literal, Ref, parse_expression, rewrite

__all__ = ["enum_values", "resolve_metrics"]


def enum_values(node: Expr, columns: Mapping[str, Column], enums: Mapping[str, Enum]) -> Expr:
    """Replaces the name of an enumeration member by its stored value where it is compared with a column of that enumeration.

    :raises QuerySyntaxError: the enumeration has no such member; the sentence lists or suggests what it has.
    """

    def change(each: Expr) -> Expr:
        match each:
            case Compare(op, Ref(name) as left, Literal() as right):
                return Compare(op, left, _stored(name, right, columns, enums))
            case Compare(op, Literal() as left, Ref(name) as right):
                return Compare(op, _stored(name, left, columns, enums), right)
            case In(Ref(name) as operand, items):
                return In(operand, tuple(_stored(name, item, columns, enums) for item in items))
        return each

    return rewrite(node, change)


def _stored(name: str, literal: Literal, columns: Mapping[str, Column], enums: Mapping[str, Enum]) -> Literal:
    column = columns.get(name)
    if column is None or not column.enum or not isinstance(literal.value, str):
        return literal
    enum = enums[column.enum]
    value = enum.value(literal.value)
    if value is None:
        if column.type in ("lowcard", "string"):
            return literal
        if literal.value.lstrip("-").isdecimal():
            return Literal(int(literal.value), literal.at)
        names = [member.name for member in enum.members]
        listing = suggestion(literal.value, names) or f"; it is one of {', '.join(names[:20])}"
        raise QuerySyntaxError(f"{name} is never {literal.value!r}{listing}", literal.at)
    return Literal(value, literal.at)


def resolve_metrics(
    rows: Iterable[Row], columns: Mapping[str, Column], enums: Mapping[str, Enum]
) -> tuple[Metric, ...]:
    """Metrics whose expressions hold only columns and numbers. A metric may use those declared before or after it.

    A row whose name is already a column of the table is left out: the table stores it.

    :raises ConfigError: an expression is not well-formed, or names something that is not there, or itself.
    """
    declared = {row["name"]: row for row in rows if row["name"] not in columns}
    done: dict[str, Expr] = {}

    def expression(name: str, path: tuple[str, ...]) -> Expr:
        if name in done:
            return done[name]
        row = declared[name]
        if name in path:
            raise ConfigError([row.problem(f"the metric is made of itself: {' -> '.join((*path, name))}")])

        def change(node: Expr) -> Expr:
            # Places in the data's text would mislead whoever reads a mistake in a query.
            if isinstance(node, Literal):
                return Literal(node.value)
            if isinstance(node, Call):
                return Call(node.name, node.arguments)
            if not isinstance(node, Ref):
                return node
            if node.name in columns:
                return Ref(node.name)
            if node.name not in declared:
                near = suggestion(node.name, [*columns, *declared])
                raise ConfigError(
                    [row.problem(f"the expression names {node.name!r}, which is no column of the table{near}")]
                )
            return expression(node.name, (*path, name))

        try:
            parsed = enum_values(parse_expression(row["expression"]), columns, enums)
        except QuerySyntaxError as error:
            raise ConfigError([row.problem(f"the expression: {error}")]) from error
        done[name] = rewrite(parsed, change)
        return done[name]

    return tuple(
        Metric(
            name, row["kind"], row["unit"], row["expression"], expression(name, ()), row["group"], row["description"]
        )
        for name, row in declared.items()
    )
