"""Which tables a plan reads rows of."""

from __future__ import annotations

from metaflow_core.model.catalog import Catalog
from metaflow_core.query.plan import Plan, Scan, inputs

__all__ = ["tables_of"]


def tables_of(plan: Plan, catalog: Catalog) -> frozenset[str]:
    """Full names of the tables that rows must have been written to before a plan is answered. For what a store rolls up by itself that is the
    table it is made from. Names that the catalogue does not know are left out."""
    found: set[str] = set()
    waiting = [plan]
    while waiting:
        each = waiting.pop()
        waiting.extend(inputs(each))
        if isinstance(each, Scan) and each.table in catalog.tables:
            table = catalog.tables[each.table]
            while table.rolled_from:
                table = catalog.tables[table.rolled_from]
            found.add(table.name)
    return frozenset(found)
