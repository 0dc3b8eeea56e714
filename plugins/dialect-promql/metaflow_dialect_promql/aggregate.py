"""Aggregations over series, for all steps at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.functions.overtime import interpolated
from metaflow_dialect_promql.labels import LABEL_NAME, Labels, drop, keep, make
from metaflow_dialect_promql.numbers import go_float
from metaflow_dialect_promql.values import Floats, Vector

__all__ = ["aggregate", "count_values"]


def grouped(vector: Vector, labels: tuple[str, ...], without: bool) -> tuple[list[Labels], list[list[int]]]:
    """Groups in the order in which they first occur: their labels and rows."""
    if without:
        names = frozenset((*labels, "__name__"))
        cut: Callable[[Labels], Labels] = lambda each: drop(each, names)  # noqa: E731
    else:
        names = frozenset(labels)
        cut = lambda each: keep(each, names)  # noqa: E731
    groups: dict[Labels, list[int]] = {}
    for row, each in enumerate(vector.labels):
        groups.setdefault(cut(each), []).append(row)
    return list(groups), list(groups.values())


def aggregate(op: str, vector: Vector, labels: tuple[str, ...], without: bool, param: Floats | None) -> Vector:
    """An aggregation.

    :param param: the number before the vector, one a step.
    :raises QueryError: the number is not allowed.
    """
    steps = vector.values.shape[1]
    if op in ("topk", "bottomk", "limitk", "limit_ratio"):
        assert param is not None
        return _chosen(op, vector, labels, without, param)
    names, groups = grouped(vector, labels, without)
    if not names:
        return Vector.empty(steps)
    order = np.concatenate([np.asarray(rows) for rows in groups])
    starts = np.concatenate(([0], np.cumsum([len(rows) for rows in groups])[:-1]))
    values, present = vector.values[order], vector.present[order]
    counts = np.add.reduceat(present.astype(np.int64), starts, axis=0)
    there = counts > 0
    with np.errstate(all="ignore"):
        result = _reduced(op, values, present, starts, counts, param)
    return Vector(names, result, there)


def _reduced(
    op: str, values: Floats, present: np.ndarray, starts: np.ndarray, counts: np.ndarray, param: Floats | None
) -> Floats:
    def total(numbers: Floats) -> Floats:
        return np.asarray(np.add.reduceat(np.where(present, numbers, 0.0), starts, axis=0))

    match op:
        case "sum":
            return total(values)
        case "avg":
            return np.asarray(total(values) / counts)
        case "count":
            return np.asarray(counts, np.float64)
        case "group":
            return np.ones(counts.shape)
        case "min":
            return np.asarray(np.fmin.reduceat(np.where(present, values, np.nan), starts, axis=0))
        case "max":
            return np.asarray(np.fmax.reduceat(np.where(present, values, np.nan), starts, axis=0))
        case "stddev" | "stdvar":
            sizes = np.diff(np.append(starts, len(values)))
            mean = np.repeat(total(values) / counts, sizes, axis=0)
            variance = total((values - mean) ** 2) / counts
            return np.asarray(np.sqrt(variance) if op == "stddev" else variance)
        case "quantile":
            assert param is not None
            return _quantile(values, present, starts, counts, param)
    raise QueryError(f"unknown aggregation {op!r}")


def _quantile(values: Floats, present: np.ndarray, starts: np.ndarray, counts: np.ndarray, levels: Floats) -> Floats:
    """Of each group and step; NaN counts as the smallest number."""
    out = np.zeros(counts.shape)
    ends = np.append(starts[1:], len(values))
    for group, (start, end) in enumerate(zip(starts, ends, strict=True)):
        block, there = values[start:end], present[start:end]
        # By columns: those that are there first, NaN before numbers.
        order = np.lexsort((block, ~np.isnan(block), ~there), axis=0)
        ordered = np.take_along_axis(block, order, axis=0).T.ravel()
        sizes = np.maximum(counts[group], 1)
        firsts = np.arange(block.shape[1]) * block.shape[0]
        out[group] = interpolated(levels, sizes, firsts, ordered)
    return out


def _limits(op: str, param: Floats) -> np.ndarray:
    if np.isnan(param).any():
        raise QueryError("Parameter value is NaN")
    if (np.abs(param) > 9.2e18).any():
        wrong = param[np.abs(param) > 9.2e18][0]
        raise QueryError(f"Scalar value {go_float(wrong)} overflows int64")
    return np.trunc(param).astype(np.int64)


def _chosen(op: str, vector: Vector, labels: tuple[str, ...], without: bool, param: Floats) -> Vector:
    """Aggregations that leave some of the series as they are."""
    present = np.zeros(vector.present.shape, np.bool_)
    order: list[int] = []
    if op == "limit_ratio" and np.isnan(param).any():
        raise QueryError("Ratio value is NaN")
    limits = _limits(op, param) if op != "limit_ratio" else np.zeros(len(param), np.int64)
    for rows in grouped(vector, labels, without)[1]:
        index = np.asarray(rows)
        there = vector.present[index]
        if op == "limitk":
            present[index] = there & (np.cumsum(there, axis=0) <= limits)
            order += rows
            continue
        if op == "limit_ratio":
            share = np.clip(np.abs(param), 0, 1)
            first = np.ceil(share * len(rows))
            place = np.arange(len(rows))[:, None]
            present[index] = there & ((place < first) if (param >= 0).all() else (place >= len(rows) - first))
            order += rows
            continue
        block = vector.values[index]
        # The best first; NaN is the worst either way; of equals the one that came first.
        keys = np.where(there, -block if op == "topk" else block, np.nan)
        ranked = np.lexsort(
            (np.nan_to_num(keys, nan=0.0, posinf=np.inf, neginf=-np.inf), np.isnan(keys), ~there), axis=0
        )
        rank = np.empty_like(ranked)
        np.put_along_axis(rank, ranked, np.arange(len(rows))[:, None] + np.zeros_like(ranked), axis=0)
        present[index] = there & (rank < limits)
        order += [int(row) for row in index[ranked[:, -1]]]
    chosen = Vector(vector.labels, vector.values, present).take(order)
    kept = chosen.compact()
    return Vector(kept.labels, kept.values, kept.present, ordered=op in ("topk", "bottomk"))


def count_values(vector: Vector, label: str, labels: tuple[str, ...], without: bool) -> Vector:
    """``count_values``: how many series have each value, which becomes a label.

    :raises QueryError: the label's name is wrong.
    """
    if not LABEL_NAME.match(label):
        raise QueryError(f'invalid label name "{label}"')
    steps = vector.values.shape[1]
    cut = frozenset((*labels, "__name__")) if without else frozenset((*labels, label))
    out: dict[Labels, np.ndarray] = {}
    for row, each in enumerate(vector.labels):
        there = vector.present[row]
        for value in np.unique(vector.values[row][there]):
            hits = there & ((vector.values[row] == value) | (np.isnan(vector.values[row]) & np.isnan(value)))
            # The value is a label before labels are taken away: without (v) takes away that of the value, too.
            valued = make({**dict(each), label: go_float(float(value), exponents=False)})
            key = drop(valued, cut) if without else keep(valued, cut)
            out[key] = out.get(key, np.zeros(steps, np.int64)) + hits
    if not out:
        return Vector.empty(steps)
    counts = np.array(list(out.values()))
    return Vector(list(out), counts.astype(np.float64), counts > 0)
