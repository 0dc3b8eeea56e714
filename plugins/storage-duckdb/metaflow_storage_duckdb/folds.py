"""Grouping as SQL: one row a group, in the order in which the groups first occur."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import pyarrow as pa

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.query import Aggregate, Fold
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.expressions import condition, express
from metaflow_storage_duckdb.relation import By, Names, Relation
from metaflow_storage_duckdb.values import Value, real

__all__ = ["aggregate"]

_MOST_LISTED = 10_000


def aggregate(node: Aggregate, source: Relation, names: Names) -> Relation:
    """The groups of a relation.

    :raises QueryError: a fold is not one, or its parameters make no sense.
    """
    source = names.numbered(source)
    place = source.order[0].name
    keys = [(key.name, express(key.expression, source.columns)) for key in node.keys]
    columns: dict[str, Value] = {}
    selected: list[str] = []
    for name, value in keys:
        inner = names.new()
        selected.append(f"{value.sql} AS {inner}")
        columns[name] = replace(value, sql=inner)
    listed: list[tuple[str, str, str]] = []
    for fold in node.measures:
        if not isinstance(fold, Fold):
            raise UnsupportedQuery(f"{fold.function} was not prepared; call metaflow_core.query.prepare first")
        inner = names.new()
        if fold.op in ("topk", "histogram"):
            value, sql, otherwise = _LISTS[fold.op](fold, [value for _, value in keys], source)
            listed.append((inner, sql, otherwise))
        else:
            value = _fold(fold, source, place)
            selected.append(f"{value.sql} AS {inner}")
        columns[fold.name] = replace(value, sql=inner)
    first, rows = names.new(), names.new()
    # Of no rows there is no first, but the one row of an aggregate without keys has its place all the same.
    selected += [f"COALESCE(min({place}), 0) AS {first}", f"count(*) AS {rows}"]
    group = f" GROUP BY {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    sql = f"SELECT {', '.join(selected)} FROM {source.from_()}{group}"
    key_names = [columns[name].sql for name, _ in keys]
    for inner, lists, otherwise in listed:
        sql = _beside(sql, lists, inner, key_names, otherwise.format(f"g.{rows}"))
    return Relation(sql, columns, (By(first),))


def _fold(fold: Fold, source: Relation, place: str) -> Value:
    """A fold as an aggregate function."""
    where = None if fold.where is None else condition(fold.where, source.columns)
    if fold.argument is None:
        return Value(f"count(*){_filter(where)}", pa.int64())
    value = express(fold.argument, source.columns)
    present = f"{value.sql} IS NOT NULL"
    match fold.op:
        case "count":
            return Value(f"count({value.sql}){_filter(where)}", pa.int64())
        case "uniq" | "uniq_exact":
            return Value(f"count(DISTINCT {value.sql}){_filter(where)}", pa.int64())
        case "sum":
            return _sum(value, where)
        case "min" | "max":
            return _extreme(fold.op, value, where)
        case "any":
            return replace(value, sql=f"arg_min({value.sql}, {place}){_filter(where, present)}")
        case "last":
            moment = source.columns[str(fold.parameters[0])].sql if fold.parameters else place
            return replace(value, sql=f"arg_max({value.sql}, ({moment}, {place})){_filter(where, present)}")
        case "stddev":
            return Value(f"stddev_pop({real(value).sql}){_filter(where)}", pa.float64())
        case "quantile" | "quantile_exact":
            level = min(1.0, max(0.0, _level(fold)))
            held = real(value).sql
            numbers = _filter(where, f"NOT isnan({held})")
            return Value(f"quantile_cont({held}, {literals.real(level)}){numbers}", pa.float64())
    raise UnsupportedQuery(f"the DuckDB storage has no fold {fold.op!r}")


def _filter(*conditions: str | None) -> str:
    kept = [f"({each})" for each in conditions if each is not None]
    return f" FILTER (WHERE {' AND '.join(kept)})" if kept else ""


def _level(fold: Fold) -> float:
    level = fold.parameters[0] if fold.parameters else None
    if not isinstance(level, int | float) or math.isnan(level):
        raise QueryError(f"{fold.op} takes a level from 0 to 1, found {level!r}")
    return float(level)


def _whole(fold: Fold) -> int:
    number = fold.parameters[0] if fold.parameters else None
    if not isinstance(number, int) or number > _MOST_LISTED:
        raise QueryError(f"{fold.op} takes a whole number of at most {_MOST_LISTED}, found {number!r}")
    return number


def _sum(value: Value, where: str | None) -> Value:
    if pa.types.is_floating(value.type):
        return Value(f"sum({value.sql}){_filter(where)}", pa.float64())
    type_ = pa.uint64() if pa.types.is_unsigned_integer(value.type) else pa.int64()
    if pa.types.is_boolean(value.type) or pa.types.is_null(value.type):
        value = value.cast(pa.int64())
    return Value(f"CAST(sum({value.sql}){_filter(where)} AS {'UBIGINT' if type_ == pa.uint64() else 'BIGINT'})", type_)


def _extreme(function: str, value: Value, where: str | None) -> Value:
    sql = f"{function}({value.sql}){_filter(where)}"
    if pa.types.is_floating(value.type):
        # What is not a number is passed over, unless there is nothing else.
        sql = f"COALESCE({function}({value.sql}){_filter(where, f'NOT isnan({value.sql})')}, {sql})"
    return replace(value, sql=sql)


def _histogram(fold: Fold, keys: list[Value], source: Relation) -> tuple[Value, str, str]:
    """Counts between ``buckets + 1`` edges, the last one closed; of equal values one half to either side, as numpy does."""
    buckets = max(1, _whole(fold))
    number = real(_argument(fold, source)).sql
    where = "" if fold.where is None else f" AND {condition(fold.where, source.columns)}"
    names = [f"k{i}" for i in range(len(keys))]
    outer = "".join(f"{name}, " for name in names)
    listed = "".join(f"{key.sql} AS {name}, " for key, name in zip(keys, names, strict=True))
    by = f"PARTITION BY {', '.join(names)}" if names else ""
    held = f"SELECT {listed}{number} AS v FROM {source.from_()} WHERE isfinite({number}){where}"
    ends = f"SELECT *, min(v) OVER ({by}) AS low, max(v) OVER ({by}) AS high FROM ({held}) AS h"
    equal = (
        "low - (CASE WHEN low = high THEN 0.5 ELSE 0 END) AS s, high + (CASE WHEN low = high THEN 0.5 ELSE 0 END) AS e"
    )
    steps = f"SELECT *, (e - s) / {buckets} AS w FROM (SELECT *, {equal} FROM ({ends}) AS x) AS y"
    near = f"SELECT *, greatest(0, least({buckets - 1}, CAST(floor((v - s) / w) AS BIGINT))) AS i FROM ({steps}) AS z"
    # The division may be off by one where a value lies on an edge: the edges decide.
    exact = f"CASE WHEN v < s + i * w THEN i - 1 WHEN i < {buckets - 1} AND v >= s + (i + 1) * w THEN i + 1 ELSE i END"
    group = f" GROUP BY {', '.join(names)}" if names else " HAVING count(*) > 0"
    counted = f"SELECT {outer}histogram({exact}) AS m FROM ({near}) AS n{group}"
    counts = f"list_transform(range({buckets}), lambda b: CAST(COALESCE(m[b], 0) AS BIGINT))"
    return Value("", pa.list_(pa.int64())), f"SELECT {outer}{counts} AS best FROM ({counted}) AS f", "NULL"


def _topk(fold: Fold, keys: list[Value], source: Relation) -> tuple[Value, str, str]:
    """The most frequent values of each group, most frequent first, of equally frequent ones the one that came first."""
    number = _whole(fold)
    value = _argument(fold, source)
    place = source.order[0].name
    where = "" if fold.where is None else f" AND {condition(fold.where, source.columns)}"
    names = [f"k{i}" for i in range(len(keys))]
    listed = "".join(f"{key.sql} AS {name}, " for key, name in zip(keys, names, strict=True))
    group = ", ".join(str(i + 1) for i in range(len(keys) + 1))
    counted = (
        f"SELECT {listed}{value.sql} AS v, count(*) AS n, min({place}) AS o FROM {source.from_()} "
        f"WHERE {value.sql} IS NOT NULL{where} GROUP BY {group}"
    )
    outer = "".join(f"{name}, " for name in names)
    by = f" GROUP BY {', '.join(names)}" if names else ""
    best = f"list(v ORDER BY n DESC, o)[1:{max(0, number)}]"
    # A group of only missing values has an empty list; no rows at all have none.
    return (
        Value("", pa.list_(value.type)),
        f"SELECT {outer}{best} AS best FROM ({counted}) AS f{by}",
        "CASE WHEN {} > 0 THEN [] END",
    )


def _argument(fold: Fold, source: Relation) -> Value:
    if fold.argument is None:
        raise QueryError(f"{fold.op} takes a column")
    return express(fold.argument, source.columns)


def _beside(groups: str, lists: str, name: str, keys: list[str], otherwise: str) -> str:
    """The lists beside the groups that they belong to."""
    match = " AND ".join(f"g.{key} IS NOT DISTINCT FROM b.k{i}" for i, key in enumerate(keys)) or "true"
    held = f"COALESCE(b.best, {otherwise})"
    return f"SELECT g.*, {held} AS {name} FROM ({groups}) AS g LEFT JOIN ({lists}) AS b ON {match}"


_LISTS = MappingProxyType({"topk": _topk, "histogram": _histogram})
"""Folds that need a grouping of their own."""
