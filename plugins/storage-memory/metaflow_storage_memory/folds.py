"""Grouping: keys to groups, folds to one value a group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.query import Aggregate, Fold
from metaflow_core.query.columns import Frame, evaluate, mask, plain, real, whole

__all__ = ["aggregate"]

_SIMPLE: dict[str, tuple[str, Any]] = {
    "sum": ("sum", None),
    "min": ("min", None),
    "max": ("max", None),
    "any": ("first", None),
    "last": ("last", None),
    "count": ("count", None),
    "stddev": ("stddev", pc.VarianceOptions(ddof=0)),
    "uniq": ("count_distinct", None),
    "uniq_exact": ("count_distinct", None),
}
_COUNTS = frozenset({"count", "uniq", "uniq_exact"})


def aggregate(node: Aggregate, frame: Frame) -> Frame:
    """One row a group, in the order in which the groups first occur.

    :raises UnsupportedQuery: rows are to be taken last by two different columns of time.
    """
    folds = [fold for fold in node.measures if isinstance(fold, Fold)]
    frame = _in_time(folds, frame)
    keys = {f"k{i}": evaluate(key.expression, frame) for i, key in enumerate(node.keys)}
    arguments = {f"a{i}": _argument(fold, frame) for i, fold in enumerate(folds)}
    names = list(keys) or ["k"]
    table = pa.table({**(keys or {"k": pa.repeat(pa.scalar(0), frame.rows)}), **arguments})
    wanted = []
    for index, fold in enumerate(folds):
        function, options = _SIMPLE.get(fold.op, ("list", None))
        wanted.append((f"a{index}", function, options) if options is not None else (f"a{index}", function))
    grouped = whole(table.group_by(names, use_threads=False).aggregate(wanted), {})
    rows = grouped.rows
    out: dict[str, pa.Array] = {}
    for index, key in enumerate(node.keys):
        out[key.name] = grouped.arrays[f"k{index}"]
    for index, fold in enumerate(folds):
        function = _SIMPLE.get(fold.op, ("list", None))[0]
        array = grouped.arrays[f"a{index}_{function}"]
        out[fold.name] = array if fold.op in _SIMPLE else _from_lists(fold, array)
    if not node.keys and not rows:
        rows = 1
        out = {fold.name: _of_nothing(fold, out[fold.name].type) for fold in folds}
    columns = {
        key.name: frame.columns[name]
        for key in node.keys
        if (name := getattr(key.expression, "name", "")) in frame.columns
    }
    return Frame(rows, out, columns)


def _in_time(folds: Sequence[Fold], frame: Frame) -> Frame:
    """Rows in order of time where a fold takes the last of them; rows of the same moment keep their order."""
    times = {str(fold.parameters[0]) for fold in folds if fold.op == "last" and fold.parameters}
    if len(times) > 1:
        raise UnsupportedQuery(
            f"the memory storage takes last values by one column of time, not by {' and '.join(sorted(times))}"
        )
    if not times:
        return frame
    return frame.take(pc.sort_indices(frame.arrays[times.pop()]))


def _argument(fold: Fold, frame: Frame) -> pa.Array:
    if fold.argument is None:
        array = pa.repeat(pa.scalar(True), frame.rows)
    else:
        array = plain(evaluate(fold.argument, frame))
    if fold.op in ("quantile", "quantile_exact", "stddev", "histogram"):
        array = real(array)
    elif fold.op == "sum" and pa.types.is_boolean(array.type):
        array = array.cast(pa.int64())
    if fold.where is not None:
        array = pc.if_else(mask(fold.where, frame).fill_null(False), array, pa.scalar(None, array.type))
    return array


def _of_nothing(fold: Fold, type_: pa.DataType) -> pa.Array:
    return pa.array([0], type_) if fold.op in _COUNTS else pa.nulls(1, type_)


def _from_lists(fold: Fold, lists: pa.Array) -> pa.Array:
    """Folds that need all values of a group at once."""
    values = pc.list_flatten(lists)
    bounds = np.concatenate(([0], np.cumsum(np.asarray(pc.list_value_length(lists)))))
    parameter: Any = fold.parameters[0]
    match fold.op:
        case "quantile" | "quantile_exact":
            numbers = values.to_numpy(zero_copy_only=False)
            results = [_quantile(numbers[a:b], parameter) for a, b in pairwise(bounds)]
            return pa.array(results, pa.float64())
        case "histogram":
            numbers = values.to_numpy(zero_copy_only=False)
            counts = [_histogram(numbers[a:b], parameter) for a, b in pairwise(bounds)]
            return pa.array(counts, pa.list_(pa.int64()))
        case "topk":
            python = values.to_pylist()
            best = [_topk(python[a:b], parameter) for a, b in pairwise(bounds)]
            return pa.array(best, pa.list_(values.type))
    raise UnsupportedQuery(f"the memory storage has no fold {fold.op!r}")


def _quantile(numbers: np.ndarray[Any, np.dtype[np.float64]], level: float) -> float | None:
    present = numbers[~np.isnan(numbers)]
    return float(np.quantile(present, min(1.0, max(0.0, level)))) if len(present) else None


def _histogram(numbers: np.ndarray[Any, np.dtype[np.float64]], buckets: int) -> list[int] | None:
    present = numbers[np.isfinite(numbers)]
    return np.histogram(present, bins=max(1, buckets))[0].tolist() if len(present) else None


def _topk(values: list[Any], number: int) -> list[Any]:
    """Most frequent first; of equally frequent ones the one that came first."""
    return [value for value, _ in Counter(value for value in values if value is not None).most_common(number)]
