"""A prepared plan as one SQL statement."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Column
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Grid,
    Limit,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    TimeRange,
    labels_of,
    series_dictionaries,
    span_of,
)
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.expressions import condition, express
from metaflow_storage_duckdb.filling import fill
from metaflow_storage_duckdb.folds import aggregate
from metaflow_storage_duckdb.joins import combine, semi_join
from metaflow_storage_duckdb.relation import By, Names, Relation, is_real
from metaflow_storage_duckdb.resolving import resolve
from metaflow_storage_duckdb.schema import SERIES_TABLE, Stored, default_sql, table_sql
from metaflow_storage_duckdb.types import bounds, sql_type
from metaflow_storage_duckdb.values import Value

__all__ = ["Compiler"]

_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_MOST_ROWS = 1 << 62


class Compiler:
    """Compiles plans over what a file really has.

    :param stored: the tables of the file and their columns; a table or column that is not there reads as empty.
    """

    def __init__(self, catalog: Catalog, stored: Stored) -> None:
        self._catalog = catalog
        self._stored = stored
        self._names = Names()
        self._series = series_dictionaries(catalog)

    def statement(self, plan: Plan, max_rows: int) -> tuple[str, Relation]:
        """The statement that answers a prepared plan with at most one row more than ``max_rows``, and what its columns are.

        :raises QueryError: it cannot be answered here.
        """
        relation = self.relation(plan)
        # An answer without columns still has rows.
        kept = ", ".join(value.sql for value in relation.columns.values()) or "1"
        return f"SELECT {kept} FROM {relation.from_()}{relation.order_by()} LIMIT {int(max_rows) + 1}", relation

    def relation(self, plan: Plan) -> Relation:
        """A prepared plan as SQL.

        :raises QueryError: it cannot be answered here.
        """
        match plan:
            case Scan():
                return self._scan(plan)
            case Filter(source, predicate):
                below = self.relation(source)
                where = condition(predicate, below.columns)
                return replace(below, sql=f"SELECT {', '.join(below.names())} FROM {below.from_()} WHERE {where}")
            case Project():
                return self._project(plan)
            case Aggregate(source):
                return aggregate(plan, self.relation(source), self._names)
            case Resolve(Scan() as source, outputs):
                below, moment = self._timed(source)
                return resolve(outputs, below, self._names, moment, self._series)
            case Resolve(source, outputs):
                span = span_of(source)
                second = literals.integer(0 if span is None else span.start_ns // _NS["s"])
                return resolve(outputs, self.relation(source), self._names, second, self._series)
            case Combine(many, keys):
                return combine([self.relation(each) for each in many], keys, self._names)
            case SemiJoin(source, keys, other):
                return semi_join(self.relation(source), self.relation(other), keys)
            case Sort(source, keys):
                below = self.relation(source)
                by = tuple(_by(below.columns[key.name], key.descending) for key in keys)
                return replace(below, order=(*by, *below.order), natural=below.natural and not by)
            case Limit(source, count, offset):
                below = self.relation(source)
                cut = f"LIMIT {min(count, _MOST_ROWS)} OFFSET {min(offset, _MOST_ROWS)}"
                return replace(below, sql=f"SELECT * FROM {below.from_()}{below.order_by()} {cut}")
            case Fill(source):
                return fill(plan, self.relation(source), self._names)
            case Grid():
                raise UnsupportedQuery("the DuckDB storage computes no grids; read the samples instead")

    def _timed(self, scan: Scan) -> tuple[Relation, str]:
        """The rows, and the second of each as SQL over them."""
        table = self._catalog.table(scan.table)
        below = self._scan(scan, with_time=not scan.columns or table.time not in scan.columns)
        moment = below.columns[table.time].sql
        if scan.columns and table.time not in scan.columns:
            below = replace(below, columns={name: value for name, value in below.columns.items() if name != table.time})
        unit = _NS["s"] // _NS[arrow_type(table.column(table.time).type).unit]
        return below, moment if unit == 1 else f"({moment} // {unit})"

    def _scan(self, scan: Scan, *, with_time: bool = False) -> Relation:
        table = self._catalog.table(scan.table)
        names = scan.columns or tuple(column.name for column in table.columns)
        if with_time and table.time not in names:
            names = (*names, table.time)
        present = self._stored.get(table.name)
        labels = labels_of(table)
        lists = {} if labels is None else {labels.names: "label_names", labels.values: "label_values"}
        joined = bool(lists.keys() & set(names)) and present is not None
        columns: dict[str, Value] = {}
        selected: list[str] = []
        for name in names:
            column = table.column(name)
            inner = self._names.new()
            type_ = arrow_type(column.type)
            held = f"COALESCE(s.{lists[name]}, [])" if joined and name in lists else _stored_column(column, present)
            selected.append(f"{held} AS {inner}")
            columns[name] = Value(inner, type_, column)
        place = self._names.new()
        where = ""
        if present is None:
            source, row = "(SELECT 1 WHERE false)", "CAST(0 AS BIGINT)"
        else:
            source, row = f"{table_sql(table.name)} AS r", "r.rowid"
            if labels is not None and joined:
                source += (
                    f" LEFT JOIN {SERIES_TABLE} AS s ON s.dictionary = {literals.text(labels.dictionary)} "
                    f"AND s.id = r.{literals.identifier(labels.number)}"
                )
            if scan.time is not None:
                moment = table.column(table.time)
                unit = _NS[arrow_type(moment.type).unit]
                where = f" WHERE {_within(_stored_column(moment, present), scan.time, unit)}"
        sql = f"SELECT {', '.join([*selected, f'{row} AS {place}'])} FROM {source}{where}"
        return Relation(sql, columns, (By(place),), natural=not joined)

    def _project(self, plan: Project) -> Relation:
        below = self.relation(plan.input)
        columns: dict[str, Value] = {}
        selected = [by.name for by in below.order]
        for each in plan.columns:
            value = express(each.expression, below.columns)
            inner = self._names.new()
            selected.append(f"{value.sql} AS {inner}")
            columns[each.name] = replace(value, sql=inner)
        return replace(below, sql=f"SELECT {', '.join(dict.fromkeys(selected))} FROM {below.from_()}", columns=columns)


def _by(value: Value, descending: bool) -> By:
    if pa.types.is_list(value.type):
        raise QueryError("rows cannot be sorted by a list; sort by one of its values")
    return By(value.sql, descending, is_real(value.type))


def _stored_column(column: Column, present: frozenset[str] | None) -> str:
    """A column of the file; one that came to the catalogue later reads as zero or missing."""
    if present is not None and column.name in present:
        return f"r.{literals.identifier(column.name)}"
    return f"CAST({default_sql(column)} AS {sql_type(arrow_type(column.type))})"


def _within(column: str, span: TimeRange, unit: int) -> str:
    """Closed on the left, open on the right; bounds between two moments of the column's unit are rounded up."""
    low, high = bounds(pa.int64())
    start, end = (min(max(-(-bound // unit), low), high) for bound in (span.start_ns, span.end_ns))
    return f"{column} >= {literals.integer(start)} AND {column} < {literals.integer(end)}"
