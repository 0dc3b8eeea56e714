"""Results side by side, and rows that occur in another result; missing keys are equal."""

from __future__ import annotations

from dataclasses import replace

from metaflow_storage_clickhouse.sql.compare import align
from metaflow_storage_clickhouse.sql.relation import Names, Relation
from metaflow_storage_clickhouse.sql.typed import Typed

__all__ = ["combined", "semi_joined"]


def combined(parts: list[Relation], keys: tuple[str, ...], names: Names) -> Relation:
    """One row a key with the columns of all parts: all rows in one list, then grouped by key.

    A column that several parts have is taken from the last of them.
    """
    owner = {name: index for index, part in enumerate(parts) for name in part.columns if name not in keys}
    types: dict[str, Typed] = {}
    for key in keys:
        merged = parts[0].columns[key]
        for part in parts[1:]:
            left, right, type_ = align(merged, part.columns[key])
            merged = Typed("", type_, left.nullable or right.nullable, merged.column)
        types[key] = merged
    aliases = {name: names.new() for name in (*keys, *owner)}
    mark = names.new()
    selects = []
    for index, part in enumerate(parts):
        listed = [(aliases[key], _as(part.columns[key], types[key].type)) for key in keys]
        for name, at in owner.items():
            value = parts[at].columns[name]
            listed.append((aliases[name], value.sql if at == index else _nothing(value)))
        selects.append(part.select([*listed, (mark, str(index))]))
    group_names = {name: names.new() for name in aliases}
    listed = [(group_names[key], aliases[key]) for key in keys]
    columns = {key: replace(types[key], sql=group_names[key]) for key in keys}
    for name, at in owner.items():
        value = parts[at].columns[name]
        call = "anyIf" if value.family == "list" else "anyOrNullIf"
        listed.append((group_names[name], f"{call}({aliases[name]}, {mark} = {at})"))
        columns[name] = Typed(group_names[name], value.type, value.family != "list", value.column)
    together = " UNION ALL ".join(selects)
    group_by = ", ".join(group_names[key] for key in keys)
    inner = Relation(f"({together})", {}, names=names).select(listed, group_by=group_by)
    return Relation(f"({inner})", columns, names=names)


def _as(value: Typed, type_: str) -> str:
    if type_ in (value.type, "null"):
        return value.sql
    if type_ == "string":
        return f"toString({value.sql})"
    return f"{'toFloat64' if type_ == 'f64' else 'toInt64'}({value.sql})"


def _nothing(value: Typed) -> str:
    return "[]" if value.family == "list" else "NULL"


def semi_joined(relation: Relation, keys: tuple[str, ...], other: Relation, *, distributed: bool) -> Relation:
    """Rows whose keys occur in ``other``. On a cluster the other result is made once and sent to every shard."""
    here, there = [], []
    for key in keys:
        left, right = relation.columns[key], other.columns[key]
        if left.nullable or right.nullable:
            here.append(_comparable(left))
            there.append(_comparable(right))
        else:
            left, right, _ = align(left, right)
            here.append(left.sql)
            there.append(right.sql)
    if not keys:
        here, there = ["1"], ["1"]
    inner = other.select([(other.names.new(), f"tuple({', '.join(there)})")])
    test = f"tuple({', '.join(here)}) {'GLOBAL ' if distributed else ''}IN ({inner})"
    return replace(relation, where=(*relation.where, test))


def _comparable(value: Typed) -> str:
    """A key that may be missing as two that may not."""
    sql = f"toString({value.sql})"
    return f"ifNull(concat('=', {sql}), '')" if value.nullable else f"concat('=', {sql})"
