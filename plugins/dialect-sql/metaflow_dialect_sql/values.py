"""``SHOW TAG x VALUES FROM t``: the values that occur in rows, the most frequent first."""

from __future__ import annotations

import pyarrow as pa

from metaflow_core.api import QueryResult, Storage
from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog, Column
from metaflow_core.query import Aggregate, Filter, Fold, Limit, Named, Plan, Scan, Sort, SortKey, prepare
from metaflow_dialect_sql.fields import kind_of
from metaflow_dialect_sql.outputs import Output, present
from metaflow_dialect_sql.question import Question
from metaflow_dialect_sql.statements import Show

__all__ = ["tag_values"]

_DEFAULT_VALUES = 1_000


async def tag_values(question: Question, show: Show, storage: Storage, max_rows: int, catalog: Catalog) -> QueryResult:
    """Columns ``value``, ``display_name`` (of enumerations) and ``rows``.

    :raises QuerySyntaxError: what was asked for is no tag.
    """
    item = question.items[0]
    found = question.fields.find(getattr(item.expression, "name", ""))
    if question.keys is not None or found is None or kind_of(found) != "tag":
        raise QuerySyntaxError(
            f"{show.name} is no tag; SHOW TAGS FROM {question.fields.table.name} lists them", show.place
        )
    wanted = min(_DEFAULT_VALUES if question.limit is None else question.limit, max_rows)
    plan: Plan = Scan(question.fields.table.name, time=question.span.range())
    if question.where is not None:
        plan = Filter(plan, question.where)
    plan = Aggregate(plan, (Named("value", item.expression),), (Fold("rows", "count"),))
    order = question.order[0] if question.order else None
    by_value = order is not None and order.name == item.output.name
    keys = (
        (SortKey("value", order.descending),)
        if order is not None and by_value
        else (SortKey("rows", True), SortKey("value"))
    )
    plan = Limit(Sort(plan, keys), wanted + 1, question.offset)
    prepare(plan, catalog)
    table = await storage.execute(plan)
    warnings = (
        (f"only the first {wanted} values are given; add LIMIT",)
        if table.num_rows > wanted and question.limit is None
        else ()
    )
    table = table.slice(0, wanted)
    column = found if isinstance(found, Column) else None
    outputs = [Output("value", column=column), Output("rows")]
    answer = present(table, outputs, catalog)
    if column is not None and column.enum:
        shown = present(table, [Output("value", column=column, is_shown=True)], catalog).column("value")
        answer = pa.table({"value": answer.column("value"), "display_name": shown, "rows": answer.column("rows")})
    return QueryResult(table=answer, units={}, warnings=warnings)
