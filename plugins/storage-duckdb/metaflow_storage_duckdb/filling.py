"""Empty intervals as SQL: a grid of keys and buckets, joined with the rows."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from metaflow_core.errors import QueryError
from metaflow_core.query import Fill
from metaflow_core.query.fill import MAX_FILLED_ROWS
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.joins import same
from metaflow_storage_duckdb.relation import By, Names, Relation
from metaflow_storage_duckdb.types import sql_type
from metaflow_storage_duckdb.values import Value

__all__ = ["TOO_MANY", "fill"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
TOO_MANY = f"more than {MAX_FILLED_ROWS} rows; widen the interval or narrow the range"
"""How the sentence ends that DuckDB itself raises while it counts the groups."""


def fill(node: Fill, source: Relation, names: Names) -> Relation:
    """See :func:`metaflow_core.query.fill.fill_table`, which says the same in Python.

    :raises QueryError: the step is not positive, or there are too many intervals.
    """
    if node.step_s <= 0:
        raise QueryError("the step of a filled range is at least one second")
    source = names.numbered(source)
    place = source.order[0].name
    bucket = source.columns[node.bucket]
    unit = _PER_SECOND[bucket.type.unit]
    start, end, step = node.start_s * unit, node.end_s * unit, node.step_s * unit
    moments = len(range(start, end, step))
    if moments > MAX_FILLED_ROWS or max(abs(start), abs(end), step) >= 1 << 62:
        raise QueryError(f"{moments} intervals are {TOO_MANY}")
    first, last, width = (literals.integer(each) for each in (start, end, step))
    inside = f"({bucket.sql} >= {first} AND {bucket.sql} < {last} AND ({bucket.sql} - {first}) % {width} = 0)"
    keys = [source.columns[key].sql for key in node.keys]
    rows, groups, grid, best = (names.new() for _ in range(4))
    key_list = "".join(f"{key}, " for key in keys)
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    limit = f"CASE WHEN count(*) OVER () * {moments} > {MAX_FILLED_ROWS} THEN error({literals.text(TOO_MANY)}) END"
    partition = ", ".join([*keys, bucket.sql])
    columns: dict[str, Value] = {}
    from_grid, from_rows = [], []
    for name, value in source.columns.items():
        columns[name] = replace(value, sql=names.new())
        if name == node.bucket:
            held = "g.m"
        elif name in node.keys:
            held = f"g.{value.sql}"
        else:
            held = _held(value, place, node.value)
        from_grid.append(f"{held} AS {columns[name].sql}")
        from_rows.append(value.sql)
    order = [names.new() for _ in range(4)]
    early = f"(SELECT count(*) > 0 FROM {rows} WHERE NOT inside)"
    # Rows beside the grid put everything in the order of time; without any, rows come group by group.
    when = f"CASE WHEN {early} THEN {{}} END AS {order[0]}"
    sql = (
        f"WITH {rows} AS MATERIALIZED (SELECT *, COALESCE({inside}, false) AS inside FROM {source.from_()}), "
        f"{groups} AS (SELECT {key_list}min({place}) AS seen, {limit} AS checked FROM {rows}{by}), "
        f"{grid} AS (SELECT {key_list}seen, checked, m FROM {groups}, range({start}, {end}, {step}) AS r(m)), "
        f"{best} AS (SELECT * FROM {rows} WHERE inside "
        f"QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY {place} DESC) = 1) "
        f"SELECT {', '.join(from_grid)}, {when.format('g.m')}, 0 AS {order[1]}, COALESCE(g.seen, 0) AS {order[2]}, "
        f"g.m AS {order[3]} FROM {grid} AS g LEFT JOIN {best} AS s "
        f"ON {same([f'g.{key}' for key in keys], [f's.{key}' for key in keys])} AND g.m = s.{bucket.sql} "
        f"WHERE g.checked IS NULL "
        f"UNION ALL SELECT {', '.join(from_rows)}, {when.format(bucket.sql)}, 1, {place}, 0 FROM {rows} WHERE NOT inside"
    )
    return Relation(sql, columns, tuple(By(name) for name in order))


def _held(value: Value, place: str, filled: int | None) -> str:
    """Only added rows get the value: a value that was missing before stays so. Texts and lists have no 0 and stay missing."""
    numeric = pa.types.is_integer(value.type) or pa.types.is_floating(value.type)
    if filled is None or not numeric:
        return f"s.{value.sql}"
    number = f"CAST({literals.integer(filled)} AS {sql_type(value.type)})"
    return f"CASE WHEN s.{place} IS NULL THEN {number} ELSE s.{value.sql} END"
