"""The last steps of a plan on its small result: filling empty intervals, and whatever stands above that."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.query import Fill, Filter, Limit, Plan, Project, Sort, inputs
from metaflow_core.query.columns import Frame, evaluate, mask, plain, whole
from metaflow_core.query.fill import fill_table

__all__ = ["finished"]


def finished(plan: Plan, ask: Callable[[Plan], pa.Table]) -> pa.Table:
    """The rows of a plan.

    :param ask: answers a plan without :class:`Fill` from the engine.
    :raises UnsupportedQuery: something that needs the engine stands above a ``Fill``.
    """
    if not _fills(plan):
        return ask(plan)
    match plan:
        case Fill(source):
            return fill_table(finished(source, ask), plan)
        case Sort(source, keys):
            table = finished(source, ask)
            order = pa.array(range(table.num_rows), pa.int64())
            for key in reversed(keys):
                values = plain(_one(table.column(key.name))).take(order)
                direction = "descending" if key.descending else "ascending"
                order = order.take(pc.array_sort_indices(values, order=direction, null_placement="at_end"))
            return table.take(order)
        case Limit(source, count, offset):
            return finished(source, ask).slice(offset, count)
        case Filter(source, predicate):
            frame = whole(finished(source, ask), {})
            return frame.filter(mask(predicate, frame)).to_table()
        case Project(source, columns):
            frame = whole(finished(source, ask), {})
            return Frame(frame.rows, {each.name: evaluate(each.expression, frame) for each in columns}).to_table()
    raise UnsupportedQuery(f"{type(plan).__name__} above Fill is not offered here; fill the intervals last")


def _fills(plan: Plan) -> bool:
    return isinstance(plan, Fill) or any(_fills(each) for each in inputs(plan))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
