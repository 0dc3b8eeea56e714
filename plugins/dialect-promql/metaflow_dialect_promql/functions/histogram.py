"""Quantiles and fractions of classic histograms: counters with a label ``le``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metaflow_dialect_promql.labels import Labels, drop
from metaflow_dialect_promql.values import Bools, Floats, Vector

__all__ = ["fraction", "quantile"]

_EQUAL = 1e-12
_OUTSIDE = frozenset({"__name__", "le"})


def _bound(labels: Labels) -> float | None:
    """The upper bound of a bucket; None for a series that is none."""
    text = dict(labels).get("le")
    try:
        return None if text is None or "_" in text else float(text)
    except ValueError:
        return None


def _histograms(vector: Vector) -> Iterator[tuple[Labels, Floats, list[int]]]:
    """Histograms: labels, upper bounds in order, rows of the buckets."""
    groups: dict[Labels, list[tuple[float, int]]] = {}
    for row, labels in enumerate(vector.labels):
        bound = _bound(labels)
        if bound is not None:
            groups.setdefault(drop(labels, _OUTSIDE), []).append((bound, row))
    for labels, buckets in groups.items():
        buckets.sort()
        yield labels, np.array([bound for bound, _ in buckets]), [row for _, row in buckets]


def _patterns(present: Bools) -> Iterator[tuple[Bools, np.ndarray]]:
    """Steps at which the same buckets are there, together."""
    if present.all():
        yield present[:, 0], np.arange(present.shape[1])
        return
    found, inverse = np.unique(present, axis=1, return_inverse=True)
    for index in range(found.shape[1]):
        yield found[:, index], np.flatnonzero(inverse.ravel() == index)


def _counts(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Buckets with equal bounds as one, and no bucket with less than the one below it.

    What is 1e-12 of the value apart is what adding floats in another order gives, so both are taken as equal.
    """
    unique, first = np.unique(bounds, return_index=True)
    if len(unique) < len(bounds):
        counts, bounds = np.add.reduceat(counts, first, axis=0), unique
    counts = counts.copy()
    for index in range(1, len(counts)):
        below, own = counts[index - 1], counts[index]
        with np.errstate(invalid="ignore"):
            less = (own < below) | (np.abs(own - below) < _EQUAL * (np.abs(own) + np.abs(below)))
        counts[index] = np.where(less, below, own)
    return bounds, counts


def _rank_bucket(counts: Floats, rank: Floats) -> np.ndarray:
    """The first bucket that holds the rank, as a binary search finds it (Go's ``sort.Search``): it says where NaN leads to."""
    low = np.zeros(len(rank), np.int64)
    high = np.full(len(rank), len(counts))
    columns = np.arange(len(rank))
    while (low < high).any():
        middle = np.minimum((low + high) // 2, len(counts) - 1)
        held = (counts[middle, columns] >= rank) | (low >= high)
        low, high = np.where(held, low, middle + 1), np.where(held & (low < high), middle, high)
    return low


def _each(vector: Vector, calculate: object, least: int) -> Vector:
    labels: list[Labels] = []
    values: list[Floats] = []
    present: list[Bools] = []
    steps = vector.values.shape[1]
    for found, bounds, rows in _histograms(vector):
        out, there = np.zeros(steps), np.zeros(steps, np.bool_)
        for which, at in _patterns(vector.present[rows]):
            if which.any():
                there[at] = True
                numbers = vector.values[rows][np.ix_(which, at)]
                out[at] = calculate(bounds[which], numbers, at)  # type: ignore[operator]
        labels.append(found)
        values.append(out)
        present.append(there)
    if not labels:
        return Vector.empty(steps)
    return Vector(labels, np.array(values), np.array(present))


def quantile(levels: Floats, vector: Vector) -> Vector:
    """``histogram_quantile``: linear inside the bucket that holds the rank.

    :param levels: one a step.
    """

    def one(bounds: Floats, counts: Floats, at: np.ndarray) -> Floats:
        level = levels[at]
        limits = np.where(level < 0, -np.inf, np.where(level > 1, np.inf, np.nan))
        if not np.isposinf(bounds[-1]):
            return np.asarray(limits)
        bounds, counts = _counts(bounds, counts)
        if len(bounds) < 2:
            return np.asarray(limits)
        total = counts[-1]
        with np.errstate(invalid="ignore"):
            rank = level * total
        bucket = _rank_bucket(counts[:-1], rank)
        below = np.maximum(bucket - 1, 0)
        columns = np.arange(len(at))
        inside = bucket > 0
        start = np.where(inside, bounds[below], 0.0)
        before = np.where(inside, counts[below, columns], 0.0)
        with np.errstate(all="ignore"):
            result = start + (bounds[bucket] - start) * ((rank - before) / (counts[bucket, columns] - before))
        result = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], result)
        result = np.where(bucket == len(bounds) - 1, bounds[-2], result)
        result = np.where(total == 0, np.nan, result)
        return np.asarray(np.where((level >= 0) & (level <= 1), result, limits))

    return _each(vector, one, 2)


def fraction(lower: Floats, upper: Floats, vector: Vector) -> Vector:
    """``histogram_fraction``: the share of observations between two numbers."""

    def share(bounds: Floats, counts: Floats, limit: Floats) -> Floats:
        bucket = np.minimum(np.searchsorted(bounds, limit, side="left"), len(bounds) - 1)
        columns = np.arange(counts.shape[1])
        below = np.maximum(bucket - 1, 0)
        start = np.where(bucket > 0, bounds[below], np.where(bounds[0] > 0, 0.0, -np.inf))
        before = np.where(bucket > 0, counts[below, columns], 0.0)
        width = bounds[bucket] - start
        with np.errstate(all="ignore"):
            part = np.where(np.isfinite(width) & (width > 0), (limit - start) / width, 0.0)
            part = np.where(limit >= bounds[bucket], 1.0, part)
            return np.asarray((before + (counts[bucket, columns] - before) * np.clip(part, 0, 1)) / counts[-1])

    def one(bounds: Floats, counts: Floats, at: np.ndarray) -> Floats:
        low, high = lower[at], upper[at]
        if not np.isposinf(bounds[-1]):
            return np.full(len(at), np.nan)
        bounds, counts = _counts(bounds, counts)
        result = np.where(low >= high, 0.0, share(bounds, counts, high) - share(bounds, counts, low))
        return np.where(np.isnan(low) | np.isnan(high) | (counts[-1] == 0), np.nan, result)

    return _each(vector, one, 1)
