"""Prepared plans as one SELECT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Column, Table
from metaflow_core.model.expression import Ref
from metaflow_core.query import (
    Aggregate,
    Combine,
    Filter,
    Fold,
    Grid,
    Limit,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    TimeRange,
)
from metaflow_storage_clickhouse.schema.sums import Sums
from metaflow_storage_clickhouse.sql.expressions import condition, expression
from metaflow_storage_clickhouse.sql.folds import fold
from metaflow_storage_clickhouse.sql.grids import grid
from metaflow_storage_clickhouse.sql.joins import combined, semi_joined
from metaflow_storage_clickhouse.sql.owners import Owners, owners
from metaflow_storage_clickhouse.sql.quote import identifier, literal
from metaflow_storage_clickhouse.sql.relation import Names, Relation
from metaflow_storage_clickhouse.sql.resolve import NameSource, epochs, resolved
from metaflow_storage_clickhouse.sql.summed import Summed, summed
from metaflow_storage_clickhouse.sql.typed import Typed, raw

__all__ = ["Compiler", "stored"]

_NS = {"time_s": 1_000_000_000, "time_us": 1_000, "time_ns": 1}
_LAST_SECOND = (1 << 32) - 1


def stored(column: Column) -> Typed:
    """A column of a stored table. Lists cannot be missing in ClickHouse: they are empty instead."""
    nullable = column.absent == "null" and not column.type.startswith("list_")
    return Typed(identifier(column.name), column.type, nullable, column)


def _no_sums(_: Table) -> tuple[Sums, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Compiler:
    """Turns plans into SQL.

    :ivar source: gives what stands after FROM for a table's name.
    :ivar dictionaries: what is known of names.
    :ivar distributed: sub-queries must reach every shard.
    :ivar sums: what is kept of a table by minute.
    """

    catalog: Catalog
    source: Callable[[str], str]
    dictionaries: NameSource
    distributed: bool = False
    sums: Callable[[Table], tuple[Sums, ...]] = _no_sums

    def compile(self, plan: Plan) -> Relation:
        """The plan as a SELECT.

        :param plan: went through :func:`metaflow_core.query.prepare`.
        :raises QueryError: it cannot be expressed.
        """
        return self._visit(plan, Names())

    def _visit(self, plan: Plan, names: Names) -> Relation:
        match plan:
            case Scan():
                return self._scan(plan, names)
            case Filter(source, predicate):
                relation = self._visit(source, names).open()
                return replace(relation, where=(*relation.where, condition(predicate, relation.columns).sql))
            case Project(source, columns):
                relation = self._visit(source, names)
                return replace(
                    relation, columns={each.name: expression(each.expression, relation.columns) for each in columns}
                )
            case Aggregate(Resolve(Aggregate()) as below):
                return _grouped(plan, self._resolve(below, names, owners(below, plan)))
            case Aggregate(source):
                found = self._summed(plan)
                return (
                    _grouped(plan, self._visit(source, names)) if found is None else self._of_sums(plan, found, names)
                )
            case Resolve(source):
                return self._resolve(plan, names)
            case Sort(source, keys):
                relation = self._visit(source, names).open()
                order = tuple((relation.columns[key.name].sql, key.descending) for key in keys)
                # Rows that are alike keep the order of the sort below.
                return replace(relation, order=(*order, *relation.order))
            case Limit(source, count, offset):
                relation = self._visit(source, names).open()
                return replace(relation, limit=(count, offset))
            case Combine(many, keys):
                return combined([self._visit(each, names) for each in many], keys, names)
            case SemiJoin(source, keys, other):
                return semi_joined(
                    self._visit(source, names).open(), keys, self._visit(other, names), distributed=self.distributed
                )
            case Grid(source):
                return grid(plan, self._visit(source, names))
        raise UnsupportedQuery(f"ClickHouse SQL has no {type(plan).__name__} inside of a plan; put it on top")

    def _scan(self, scan: Scan, names: Names) -> Relation:
        table = self.catalog.table(scan.table)
        wanted = scan.columns or tuple(column.name for column in table.columns)
        time = stored(table.column(table.time))
        where = () if scan.time is None else _within(time, scan.time)
        columns = {name: stored(table.column(name)) for name in wanted}
        return Relation(self.source(table.name), columns, where, moment=time, names=names)

    def _summed(self, node: Aggregate) -> Summed | None:
        """How sums by minute answer a grouping, where they do."""
        source = node.input
        while isinstance(source, Filter):
            source = source.input
        if not isinstance(source, Scan):
            return None
        table = self.catalog.table(source.table)
        return summed(node, table, self.sums(table), self.source(table.name))

    def _of_sums(self, node: Aggregate, found: Summed, names: Names) -> Relation:
        wanted = (found.table.time, *found.keys)
        below = found.relation({name: stored(found.table.column(name)) for name in wanted}, names)
        selected, columns, _ = _groups(node, below, None, folding=found.fold)
        return Relation(f"({selected})", columns, names=names)

    def _resolve(self, node: Resolve, names: Names, split: Owners | None = None) -> Relation:
        span = _span(node.input)
        changes = self.dictionaries.changes([each.tag.dictionary for each in node.outputs], span)
        second = 0 if span is None else max(0, span.start_ns // 1_000_000_000)
        if changes and isinstance(node.input, Aggregate):
            below = self._visit(node.input.input, names)
            if below.moment is not None:
                # Groups of the time between two changes: in each of them a name is the same for all rows.
                relation = _grouped(node.input, below, epochs(below.moment, changes), split)
                return resolved(node, relation, self.dictionaries, changes, second)
        if split is not None and isinstance(node.input, Aggregate) and self._summed(node.input) is None:
            relation = _grouped(node.input, self._visit(node.input.input, names), None, split)
        else:
            relation = self._visit(node.input, names)
        return resolved(node, relation, self.dictionaries, changes, second)


def _span(plan: Plan) -> TimeRange | None:
    """The range of the scan below; None where there are several or it has none."""
    while not isinstance(plan, Scan):
        if isinstance(plan, Combine | SemiJoin):
            return None
        plan = plan.input
    return plan.time


def _within(time: Typed, span: TimeRange) -> tuple[str, ...]:
    """Bounds between two moments of the column's unit are rounded up."""
    unit = _NS[time.type]
    start, end = (-(-bound // unit) for bound in (span.start_ns, span.end_ns))
    if time.type != "time_s":
        moment = raw(time).sql
        return (f"{moment} >= {literal(start)}", f"{moment} < {literal(end)}")
    tests = []
    if start > 0:
        tests.append(f"{time.sql} >= toDateTime({start}, 'UTC')" if start <= _LAST_SECOND else "false")
    if end <= _LAST_SECOND:
        tests.append(f"{time.sql} < toDateTime({end}, 'UTC')" if end > 0 else "false")
    return tuple(tests)


def _grouped(node: Aggregate, below: Relation, epoch: Typed | None = None, split: Owners | None = None) -> Relation:
    below = below.open()
    if split is None or not split.fits(below):
        selected, columns, moment = _groups(node, below, epoch)
        return Relation(f"({selected})", columns, moment=moment, names=below.names)
    known, columns, moment = _groups(node, below, epoch, split)
    unknown, _, _ = _groups(node, split.others(below), epoch)
    return Relation(f"({known} UNION ALL {unknown})", columns, moment=moment, names=below.names)


def _groups(
    node: Aggregate,
    below: Relation,
    epoch: Typed | None,
    split: Owners | None = None,
    folding: Callable[..., Typed] = fold,
) -> tuple[str, dict[str, Typed], Typed | None]:
    """A grouping SELECT, its columns, and the time of its groups.

    :param split: group by packed owners instead of by owners and addresses. :param folding: makes the folds.
    """
    rows = below
    if split is not None:
        below = split.packed(rows)
    keys = {key.name: expression(key.expression, below.columns) for key in node.keys}
    listed: list[tuple[str, str]] = []
    columns: dict[str, Typed] = {}
    for key in node.keys:
        alias, typed = below.names.new(), keys[key.name]
        listed.append((alias, typed.sql))
        known = typed.column if isinstance(key.expression, Ref) else None
        columns[key.name] = Typed(alias, typed.type, typed.nullable, known)
    moment = None
    if epoch is not None:
        alias = below.names.new()
        listed.append((alias, epoch.sql))
        moment = replace(epoch, sql=alias)
    packed = set() if split is None else {columns[name].sql for name in split.names()}
    grouped = [alias for alias, _ in listed if alias not in packed] + ([] if split is None else split.keys(rows))
    group_by = ", ".join(grouped)
    for each in node.measures:
        assert isinstance(each, Fold)
        alias, typed = below.names.new(), folding(each, below.columns, grouped=bool(node.keys))
        listed.append((alias, typed.sql))
        columns[each.name] = Typed(alias, typed.type, typed.nullable)
    if not listed:
        listed.append((below.names.new(), "count()"))
    having = "" if split is None else split.having(rows)
    return replace(below, order=()).select(listed, group_by=group_by, having=having), columns, moment
