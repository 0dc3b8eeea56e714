"""Checks a plan against the catalogue and makes it ready for a storage: see :mod:`metaflow_core.query.plan`."""

from __future__ import annotations

from dataclasses import replace

from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.names import suggestion, unknown
from metaflow_core.model.expression import Ref
from metaflow_core.query.aggregate import prepare_aggregate
from metaflow_core.query.bind import bind
from metaflow_core.query.late import needed
from metaflow_core.query.plan import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Grid,
    Limit,
    Named,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
)
from metaflow_core.query.scope import Scope, family_of

__all__ = ["prepare"]


def prepare(plan: Plan, catalog: Catalog) -> Plan:
    """The plan in terms of stored columns and folds only, each scan reading no more columns than are needed.

    A plan that was prepared already comes out the same.

    :raises QueryError: a table, column or function does not exist or does not fit; a sentence that suggests the nearest.
    """
    preparation = _Preparation(catalog)
    node, scope = preparation.visit(plan, whole=True)
    del scope
    return preparation.fill_scans(node)


class _Preparation:
    """One run of :func:`prepare`: the scopes of the scans, whose columns are known only at the end."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._scans: list[tuple[Scan, Scope, bool]] = []

    def visit(self, node: Plan, whole: bool) -> tuple[Plan, Scope]:
        """A node prepared, and what it offers.

        :param whole: nothing above chooses columns, so a scan below gives all of them.
        """
        match node:
            case Scan():
                return self._scan(node, whole)
            case Filter(source, predicate):
                below, scope = self.visit(source, whole)
                bound = bind(predicate, scope)
                family = family_of(bound, scope.families)
                if family not in ("bool", "any"):
                    raise QuerySyntaxError(f"a filter is true or false; this one is a {family}", 1)
                return Filter(below, bound), scope
            case Project(source, columns):
                below, scope = self.visit(source, whole=False)
                bound_columns = tuple(Named(each.name, bind(each.expression, scope)) for each in columns)
                return Project(below, bound_columns), _projected(bound_columns, scope)
            case Aggregate(source):
                below, scope = self.visit(source, whole=False)
                return prepare_aggregate(node, below, scope)
            case Resolve(source, outputs):
                below, scope = self.visit(source, whole)
                for each in outputs:
                    self._names(needed(each.tag), scope)
                    scope.families[each.name] = "text"
                return Resolve(below, outputs), scope
            case Sort(source, keys):
                below, scope = self.visit(source, whole)
                self._names(tuple(key.name for key in keys), scope)
                return Sort(below, keys), scope
            case Limit(source, count, offset):
                if count < 0 or offset < 0:
                    raise QueryError("a limit and its offset are not negative")
                below, scope = self.visit(source, whole)
                return Limit(below, count, offset), scope
            case Fill(source, bucket, keys=keys):
                below, scope = self.visit(source, whole)
                self._names((bucket, *keys), scope)
                return replace(node, input=below), scope
            case SemiJoin(source, keys, other):
                below, scope = self.visit(source, whole)
                beside, other_scope = self.visit(other, whole=True)
                self._names(keys, scope)
                self._names(keys, other_scope)
                return SemiJoin(below, keys, beside), scope
            case Combine(many, keys):
                return self._combine(many, keys)
            case Grid(source, series, time, value):
                below, scope = self.visit(source, whole=False)
                self._names((*series, time, value), scope)
                families = {name: scope.families[name] for name in series}
                known = {name: scope.columns[name] for name in series if name in scope.columns}
                return replace(node, input=below), Scope(self._catalog, {**families, "values": "list"}, known)

    def _scan(self, node: Scan, whole: bool) -> tuple[Plan, Scope]:
        table = self._catalog.table(node.table)
        scope = Scope.of_table(table, self._catalog)
        if node.time is not None:
            if node.time.end_ns < node.time.start_ns:
                raise QueryError(f"the range of time for {table.name} ends before it begins")
            scope.time_s = (node.time.end_ns - node.time.start_ns) / 1e9
        for name in node.columns:
            scope.used[table.column(name).name] = None
        self._scans.append((replace(node, table=table.name), scope, whole and not node.columns))
        return Scan(f"#{len(self._scans) - 1}"), scope

    def _names(self, names: tuple[str, ...], scope: Scope) -> None:
        for name in names:
            if name not in scope.families and (scope.table is None or name not in scope.table.by_name):
                raise unknown("column", name, scope.names(), "here")
            if bind(Ref(name), scope) != Ref(name):
                raise QueryError(
                    f"{name!r} is computed; project it under a name before using it here{suggestion(name, ())}"
                )

    def _combine(self, many: tuple[Plan, ...], keys: tuple[str, ...]) -> tuple[Plan, Scope]:
        plans: list[Plan] = []
        out = Scope(self._catalog, {}, {})
        for source in many:
            below, scope = self.visit(source, whole=True)
            self._names(keys, scope)
            plans.append(below)
            out.families.update(scope.families)
            out.columns.update(scope.columns)
        return Combine(tuple(plans), keys), out

    def fill_scans(self, node: Plan) -> Plan:
        """The tree with its scans in place, now that it is known which columns are read and which tags are resolved."""
        match node:
            case Scan(table) if table.startswith("#"):
                scan, scope, whole = self._scans[int(table[1:])]
                assert scope.table is not None
                names = tuple(column.name for column in scope.table.columns if column.name in scope.used)
                # Counting rows needs no column, but a scan without names would read all: the time column is the cheapest.
                source: Plan = replace(scan, columns=() if whole else names or (scope.table.time,))
                return Resolve(source, tuple(scope.resolved.values())) if scope.resolved else source
            case Scan():
                return node
            case Combine(many, keys):
                return Combine(tuple(self.fill_scans(each) for each in many), keys)
            case SemiJoin(source, keys, other):
                return SemiJoin(self.fill_scans(source), keys, self.fill_scans(other))
            case _:
                return replace(node, input=self.fill_scans(node.input))


def _projected(columns: tuple[Named, ...], scope: Scope) -> Scope:
    out = Scope(scope.catalog, {each.name: family_of(each.expression, scope.families) for each in columns}, {})
    if len(out.families) != len(columns):
        raise QueryError("two columns of the result have the same name")
    for each in columns:
        if isinstance(each.expression, Ref) and each.expression.name in scope.columns:
            out.columns[each.name] = scope.columns[each.expression.name]
    return out
