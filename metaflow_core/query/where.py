"""The conditions of ``mflow read --where``: text to a checked expression over one table.

>>> from metaflow_core.model.catalog import load_catalog
>>> parse_where("response_code >= 500 and endpoint like '/api/*'", load_catalog().table("l7_flow_log"), load_catalog())
And(items=(Compare(op='>=', left=Ref(name='response_code'...
"""

from __future__ import annotations

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.values import Table
from metaflow_core.model.expression import Expr, parse_expression
from metaflow_core.query.bind import bind
from metaflow_core.query.scope import Scope, family_of

__all__ = ["parse_where"]


def parse_where(text: str, table: Table, catalog: Catalog) -> Expr:
    """Reads and checks a condition. The result goes into a :class:`~metaflow_core.query.plan.Filter` over a scan of the table.

    The expression keeps the names as they were written: whoever prepares the plan binds them.

    :raises QuerySyntaxError: the text is not well-formed, names nothing in the table, or compares what cannot be compared;
        :attr:`~metaflow_core.errors.QuerySyntaxError.column` tells where.
    """
    expression = parse_expression(text)
    scope = Scope.of_table(table, catalog)
    family = family_of(bind(expression, scope), scope.families)
    if family not in ("bool", "any"):
        raise QuerySyntaxError(f"the condition is a {family}, expected something that is true or false", 1)
    return expression
