"""Results side by side as SQL: full outer joins and semi joins in which missing keys are equal."""

from __future__ import annotations

from dataclasses import replace

from metaflow_storage_duckdb.relation import By, Names, Relation
from metaflow_storage_duckdb.types import sql_type
from metaflow_storage_duckdb.values import Value

__all__ = ["combine", "same", "semi_join"]


def same(left: list[str], right: list[str]) -> str:
    """A condition under which keys are the same; missing ones are."""
    return " AND ".join(f"{a} IS NOT DISTINCT FROM {b}" for a, b in zip(left, right, strict=True)) or "true"


def combine(sources: list[Relation], keys: tuple[str, ...], names: Names) -> Relation:
    """Rows of the same key side by side, in the order in which keys first occur."""
    sources = [names.numbered(source) for source in sources]
    columns: dict[str, Value] = {key: replace(sources[0].columns[key], sql=names.new()) for key in keys}
    inner = [columns[key].sql for key in keys]
    types = [sql_type(columns[key].type) for key in keys]
    parts = []
    for number, source in enumerate(sources):
        listed = [
            f"CAST({source.columns[key].sql} AS {type_}) AS {name}"
            for key, type_, name in zip(keys, types, inner, strict=True)
        ]
        place = source.order[0].name
        parts.append(f"SELECT {', '.join([*listed, f'({number}, {place}) AS seen'])} FROM {source.from_()}")
    united = " UNION ALL ".join(parts)
    group = f" GROUP BY {', '.join(inner)}" if inner else " HAVING count(*) > 0"
    order = names.new()
    listed_keys = "".join(f"{name}, " for name in inner)
    sql = f"SELECT {listed_keys}row_number() OVER (ORDER BY min(seen)) AS {order} FROM ({united}) AS u{group}"
    joined = [f"({sql}) AS k"]
    selected = [f"k.{name}" for name in (*inner, order)]
    for number, source in enumerate(sources):
        own = [source.columns[key].sql for key in keys]
        place = source.order[0].name
        # One row a key: of several the last.
        partition = f"PARTITION BY {', '.join(own)} " if own else ""
        single = f"SELECT * FROM {source.from_()} QUALIFY row_number() OVER ({partition}ORDER BY {place} DESC) = 1"
        alias = f"s{number}"
        match = same([f"k.{name}" for name in inner], [f"{alias}.{name}" for name in own])
        joined.append(f"LEFT JOIN ({single}) AS {alias} ON {match}")
        for name, value in source.columns.items():
            if name not in keys:
                columns[name] = replace(value, sql=names.new())
                selected.append(f"{alias}.{value.sql} AS {columns[name].sql}")
    return Relation(f"SELECT {', '.join(selected)} FROM {' '.join(joined)}", columns, (By(order),))


def semi_join(source: Relation, other: Relation, keys: tuple[str, ...]) -> Relation:
    """Rows whose keys occur in ``other``."""
    match = same([f"t.{source.columns[key].sql}" for key in keys], [f"u.{other.columns[key].sql}" for key in keys])
    kept = ", ".join(f"t.{name}" for name in source.names())
    sql = f"SELECT {kept} FROM {source.from_()} SEMI JOIN {other.from_('u')} ON {match}"
    # A join may give rows in another order than it got them.
    return replace(source, sql=sql, natural=False)
