"""Functions of range vectors: one number a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.samples import Windows
from metaflow_dialect_promql.values import Bools, Floats

__all__ = ["OVER_TIME", "OverTime"]


@dataclass(frozen=True, slots=True)
class OverTime:
    """A function of windows.

    :ivar run: of the windows, the step times in ms and its numbers (one array over the steps each).
    :ivar least: windows with fewer samples give no value.
    :ivar keeps_name: the metric's name stays.
    """

    run: Callable[[Windows, Floats, Sequence[Floats]], Floats]
    least: int = 1
    keeps_name: bool = False


def _take(windows: Windows, positions: np.ndarray, values: np.ndarray) -> Floats:
    """Values at positions, whatever where a window is empty."""
    if not len(values):
        return np.zeros(positions.shape)
    return np.asarray(values[np.clip(positions, 0, len(values) - 1)])


def _last(windows: Windows, *_: object) -> Floats:
    return _take(windows, windows.high - 1, windows.samples.values)


def _first(windows: Windows, *_: object) -> Floats:
    return _take(windows, windows.low, windows.samples.values)


def _sum(windows: Windows, *_: object) -> Floats:
    # Extended precision stands in for the compensated sums of Prometheus.
    return windows.fold(np.add, windows.samples.values, dtype=np.longdouble)


def _avg(windows: Windows, *_: object) -> Floats:
    return _sum(windows) / np.maximum(windows.counts, 1)


def _cumulative(flags: Bools) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(flags)))


def _pairs(windows: Windows, flags: Bools) -> Floats:
    """How many flags are set between the second and the last sample of each window; ``flags[i]`` is of samples i and i + 1."""
    total = _cumulative(flags)
    if len(total) < 2:
        return np.zeros(windows.counts.shape)
    high = np.clip(windows.high - 1, 0, len(total) - 1)
    low = np.clip(windows.low, 0, len(total) - 1)
    return np.asarray(np.where(windows.counts > 1, total[high] - total[low], 0), np.float64)


def _changes(windows: Windows, *_: object) -> Floats:
    values = windows.samples.values
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    return _pairs(windows, ~same)


def _resets(windows: Windows, *_: object) -> Floats:
    values = windows.samples.values
    return _pairs(windows, values[1:] < values[:-1])


def _corrections(windows: Windows) -> Floats:
    """What resets of counters took away, by window."""
    values = windows.samples.values
    fell = values[1:] < values[:-1]
    if not fell.any():
        return np.zeros(windows.counts.shape)
    lost = np.concatenate(([0.0], np.where(fell, values[:-1], 0.0)))
    return windows.fold(np.add, lost, skip=1)


def _extrapolated(windows: Windows, counter: bool, per_second: bool) -> Floats:
    """Difference over the window as if its samples reached its ends, with Prometheus 3's rules for how far."""
    samples = windows.samples
    first, last = _first(windows), _last(windows)
    start, end = _take(windows, windows.low, samples.times), _take(windows, windows.high - 1, samples.times)
    result = last - first + (_corrections(windows) if counter else 0.0)
    # Whole milliseconds first: as seconds since 1970 the differences would lose their last digits.
    to_start = (start - (windows.ends - windows.width_ms)) / 1e3
    to_end = (windows.ends - end) / 1e3
    sampled = (end - start) / 1e3
    mean_gap = sampled / np.maximum(windows.counts - 1, 1)
    threshold = mean_gap * 1.1
    to_start = np.where(to_start >= threshold, mean_gap / 2, to_start)
    if counter:
        # A counter is never below zero: no further back than where it would have been zero.
        to_zero = np.where((result > 0) & (first >= 0), sampled * (first / result), to_start)
        to_start = np.where(to_zero < to_start, to_zero, to_start)
    to_end = np.where(to_end >= threshold, mean_gap / 2, to_end)
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor = factor / (windows.width_ms / 1e3)
    return np.asarray(result * factor)


def _instant(windows: Windows, rate: bool) -> Floats:
    samples = windows.samples
    last, before = _last(windows), _take(windows, windows.high - 2, samples.values)
    result = last - before
    if not rate:
        return np.asarray(result)
    gap = _take(windows, windows.high - 1, samples.times) - _take(windows, windows.high - 2, samples.times)
    return np.asarray(np.where(last < before, last, result) / (gap / 1e3))


def _variance(windows: Windows, *_: object) -> Floats:
    values = windows.samples.values
    out = np.zeros(windows.counts.size)
    for which, positions in windows.by_size():
        taken = values[positions]
        taken -= taken.mean(axis=1, keepdims=True)
        # Once more, because a mean far from zero is rounded.
        taken -= taken.mean(axis=1, keepdims=True)
        out[which] = np.einsum("ij,ij->i", taken, taken) / taken.shape[1]
    return out.reshape(windows.counts.shape)


def _in_order(rows: Floats) -> Floats:
    """Each row in order, NaN first."""
    found = np.sort(rows, axis=1)
    for row in np.flatnonzero(np.isnan(found[:, -1])):
        found[row] = np.roll(found[row], int(np.isnan(found[row]).sum()))
    return found


def interpolated(level: Floats, sizes: np.ndarray, starts: np.ndarray, ordered: Floats) -> Floats:
    """Quantiles of runs of ordered numbers, linear between the two nearest ranks."""
    rank = np.clip(np.nan_to_num(level), 0, 1) * (sizes - 1)
    lower = np.floor(rank).astype(np.int64)
    upper = np.minimum(lower + 1, sizes - 1)
    weight = rank - lower
    low, high = ordered[starts + lower], ordered[starts + upper]
    # As Prometheus computes it, so that infinities give what they give there.
    result = low * (1 - weight) + high * weight
    result = np.where(level < 0, -np.inf, np.where(level > 1, np.inf, result))
    return np.asarray(np.where(np.isnan(level), np.nan, result))


def _of_rows(level: Floats, ordered: Floats) -> Floats:
    count, size = ordered.shape
    return interpolated(level, np.full(count, size), np.arange(count) * size, ordered.ravel())


def _quantile(windows: Windows, _: Floats, args: Sequence[Floats]) -> Floats:
    out = np.zeros(windows.counts.size)
    levels = np.broadcast_to(args[0], windows.counts.shape).ravel()
    for which, positions in windows.by_size():
        out[which] = _of_rows(levels[which], _in_order(windows.samples.values[positions]))
    return out.reshape(windows.counts.shape)


def _mad(windows: Windows, *_: object) -> Floats:
    """Median of the distances from the median."""
    out = np.zeros(windows.counts.size)
    for which, positions in windows.by_size():
        half = np.full(len(which), 0.5)
        rows = windows.samples.values[positions]
        apart = np.abs(rows - _of_rows(half, _in_order(rows))[:, None])
        out[which] = _of_rows(half, _in_order(apart))
    return out.reshape(windows.counts.shape)


def _regression(windows: Windows, origin_ms: Floats | None) -> tuple[Floats, Floats]:
    """Slope a second and value at the origin of the least-squares line of each window (its first sample's time by default)."""
    samples = windows.samples
    slopes, values = np.zeros(windows.counts.size), np.zeros(windows.counts.size)
    origins = None if origin_ms is None else np.broadcast_to(origin_ms, windows.counts.shape).ravel()
    for which, starts, positions in windows.chunks(2):
        n = windows.counts.ravel()[which]
        origin = samples.times[positions[starts]] if origins is None else origins[which]
        x = ((samples.times[positions] - np.repeat(origin, n)) / 1e3).astype(np.longdouble)
        y = samples.values[positions].astype(np.longdouble)
        first = y[starts]
        constant = np.logical_and.reduceat(y == np.repeat(first, n), starts)
        sum_x, sum_y = np.add.reduceat(x, starts), np.add.reduceat(y, starts)
        covariance = np.add.reduceat(x * y, starts) - sum_x * sum_y / n
        variance = np.add.reduceat(x * x, starts) - sum_x * sum_x / n
        slope = np.where(constant, 0.0, covariance / variance)
        at_origin = np.where(constant, first, sum_y / n - slope * sum_x / n)
        endless = constant & np.isinf(first)
        slopes[which] = np.where(endless, np.nan, slope)
        values[which] = np.where(endless, np.nan, at_origin)
    return slopes.reshape(windows.counts.shape), values.reshape(windows.counts.shape)


def _deriv(windows: Windows, *_: object) -> Floats:
    return _regression(windows, None)[0]


def _predict(windows: Windows, times: Floats, args: Sequence[Floats]) -> Floats:
    slope, value = _regression(windows, times)
    return np.asarray(slope * args[0] + value)


def _smoothed(windows: Windows, _: Floats, args: Sequence[Floats]) -> Floats:
    """Double exponential smoothing: all windows at once, one sample after the other."""
    for name, array in zip(("smoothing", "trend"), args, strict=False):
        # Asked only where there is a sample; NaN passes.
        wrong = array[((array <= 0) | (array >= 1)) & (windows.counts > 0).any(axis=0)]
        if len(wrong):
            raise QueryError(f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {wrong[0]:f}")
    shape = windows.counts.shape
    smoothing, trend_factor = (np.broadcast_to(array, shape).ravel() for array in args)
    values = windows.samples.values
    out = np.zeros(windows.counts.size)
    counts, low = windows.counts.ravel(), windows.low.ravel()
    which = np.flatnonzero(counts >= 2)
    if not len(which):
        return out.reshape(shape)
    sf, tf = smoothing[which], trend_factor[which]
    level_before = np.zeros(len(which))
    level = values[low[which]]
    trend = values[low[which] + 1] - level
    for index in range(1, int(counts[which].max())):
        live = index < counts[which]
        x = sf * values[np.minimum(low[which] + index, len(values) - 1)]
        if index > 1:
            trend = np.where(live, tf * (level - level_before) + (1 - tf) * trend, trend)
        y = (1 - sf) * (level + trend)
        level_before = np.where(live, level, level_before)
        level = np.where(live, x + y, level)
    out[which] = level
    return out.reshape(shape)


def _extreme_time(windows: Windows, operation: np.ufunc) -> Floats:
    """When the last of the greatest or smallest samples was."""
    samples = windows.samples
    best = windows.fold(operation, samples.values)
    out = np.zeros(windows.counts.size)
    for which, starts, positions in windows.chunks():
        sizes = windows.counts.ravel()[which]
        wanted = np.repeat(best.ravel()[which], sizes)
        taken = samples.values[positions]
        hits = np.where((taken == wanted) | (np.isnan(taken) & np.isnan(wanted)), positions, -1)
        out[which] = samples.times[np.maximum.reduceat(hits, starts)] / 1e3
    return out.reshape(windows.counts.shape)


OVER_TIME: dict[str, OverTime] = {
    "rate": OverTime(lambda w, t, a: _extrapolated(w, True, True), 2),
    "increase": OverTime(lambda w, t, a: _extrapolated(w, True, False), 2),
    "delta": OverTime(lambda w, t, a: _extrapolated(w, False, False), 2),
    "irate": OverTime(lambda w, t, a: _instant(w, True), 2),
    "idelta": OverTime(lambda w, t, a: _instant(w, False), 2),
    "deriv": OverTime(_deriv, 2),
    "predict_linear": OverTime(_predict, 2),
    "double_exponential_smoothing": OverTime(_smoothed, 2),
    "changes": OverTime(_changes),
    "resets": OverTime(_resets),
    "sum_over_time": OverTime(_sum),
    "avg_over_time": OverTime(_avg),
    "min_over_time": OverTime(lambda w, t, a: w.fold(np.fmin, w.samples.values)),
    "max_over_time": OverTime(lambda w, t, a: w.fold(np.fmax, w.samples.values)),
    "count_over_time": OverTime(lambda w, t, a: w.counts.astype(np.float64)),
    "present_over_time": OverTime(lambda w, t, a: np.ones(w.counts.shape)),
    "stdvar_over_time": OverTime(_variance),
    "stddev_over_time": OverTime(lambda w, t, a: np.sqrt(_variance(w))),
    "quantile_over_time": OverTime(_quantile),
    "mad_over_time": OverTime(_mad),
    "last_over_time": OverTime(_last, keeps_name=True),
    "first_over_time": OverTime(_first, keeps_name=True),
    "ts_of_first_over_time": OverTime(lambda w, t, a: _take(w, w.low, w.samples.times) / 1e3),
    "ts_of_last_over_time": OverTime(lambda w, t, a: _take(w, w.high - 1, w.samples.times) / 1e3),
    "ts_of_min_over_time": OverTime(lambda w, t, a: _extreme_time(w, np.fmin)),
    "ts_of_max_over_time": OverTime(lambda w, t, a: _extreme_time(w, np.fmax)),
}
"""Functions of range vectors by name; ``absent_over_time`` is the evaluator's."""
