"""Samples of many series in two flat arrays, and windows over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from metaflow_dialect_promql.labels import Labels
from metaflow_dialect_promql.values import Bools, Floats, Ints

__all__ = ["STALE_BITS", "Samples", "Windows", "stale"]

STALE_BITS = 0x7FF0000000000002
"""The bits of the NaN that says: this series has ended (Prometheus' ``value.StaleNaN``)."""

_CHUNK = 1 << 22


def stale(values: Floats) -> Bools:
    """Which values are stale markers."""
    return np.asarray(np.ascontiguousarray(values).view(np.uint64) == STALE_BITS)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples sorted by series, then by time, no moment twice.

    :ivar labels: one set a series. :ivar offsets: series ``i`` has the samples from ``offsets[i]`` to ``offsets[i + 1]``.
    :ivar times: milliseconds. :ivar values: the numbers, stale markers among them.
    :ivar lookback_ms: how long a value stays valid, where the series say so themselves (intervals); None for the query's.
    """

    labels: Sequence[Labels]
    offsets: Ints
    times: Ints
    values: Floats
    lookback_ms: int | None = None

    @classmethod
    def empty(cls) -> Samples:
        """No series."""
        return cls((), np.zeros(1, np.int64), np.empty(0, np.int64), np.empty(0))

    def without_stale(self) -> Samples:
        """The samples that ranges see: no stale markers."""
        gone = stale(self.values)
        if not gone.any():
            return self
        kept = np.concatenate(([0], np.cumsum(~gone)))
        return Samples(self.labels, kept[self.offsets], self.times[~gone], self.values[~gone], self.lookback_ms)

    def windows(self, ends: Ints, width_ms: int) -> Windows:
        """For every series and end the samples in ``(end - width, end]``."""
        count, steps = len(self.labels), len(ends)
        if not len(self.times) or not count:
            nothing = np.zeros((count, steps), np.int64)
            return Windows(self, ends, width_ms, nothing, nothing)
        first = int(self.times.min())
        span = int(self.times.max()) - first + 2
        # One sorted key for all series, so that one binary search finds every window: series, then time.
        lengths = np.diff(self.offsets)
        base = np.arange(count, dtype=np.int64) * span
        keys = np.repeat(base, lengths) + (self.times - first + 1)
        upper = base[:, None] + np.clip(ends - first + 1, 0, span - 1)
        lower = base[:, None] + np.clip(ends - width_ms - first + 1, 0, span - 1)
        high = np.searchsorted(keys, upper.ravel(), side="right").reshape(count, steps)
        low = np.searchsorted(keys, lower.ravel(), side="right").reshape(count, steps)
        return Windows(self, ends, width_ms, low, high)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of samples: (series x steps) pairs of positions ``[low, high)`` in the flat arrays.

    :ivar ends: right end of each step's window in milliseconds, before offsets are taken off in the query.
    """

    samples: Samples
    ends: Ints
    width_ms: int
    low: Ints
    high: Ints
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", self.high - self.low)

    def fold(self, operation: np.ufunc, values: Floats, *, skip: int = 0, dtype: type | None = None) -> Floats:
        """The operation over each window; meaningless where a window has no more than ``skip`` samples.

        :param skip: leave out so many samples at the beginning of each window.
        """
        out = np.zeros(self.counts.shape)
        some = self.counts > skip
        if not some.any():
            return out
        bounds = np.empty((int(some.sum()), 2), np.int64)
        bounds[:, 0] = self.low[some] + skip
        bounds[:, 1] = self.high[some]
        padded = np.append(values, values[-1:]).astype(dtype or values.dtype)
        # Every second slice is a window; those between are gaps, or empty where windows overlap.
        out[some] = operation.reduceat(padded, bounds.ravel())[::2]
        return out

    def chunks(self, least: int = 1) -> Iterator[tuple[Ints, Ints, Ints]]:
        """The windows with at least so many samples, spelled out: numbers of windows, starts of each, positions of all samples."""
        flat_low, counts = self.low.ravel(), self.counts.ravel()
        wanted = np.flatnonzero(counts >= least)
        begin = 0
        totals = np.cumsum(counts[wanted])
        while begin < len(wanted):
            limit = (totals[begin - 1] if begin else 0) + _CHUNK
            end = max(begin + 1, int(np.searchsorted(totals, limit, side="right")))
            windows = wanted[begin:end]
            sizes = counts[windows]
            starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
            positions = np.arange(int(sizes.sum())) + np.repeat(flat_low[windows] - starts, sizes)
            yield windows, starts, positions
            begin = end

    def by_size(self) -> Iterator[tuple[Ints, Ints]]:
        """The windows that hold samples, those with equally many together: numbers of windows, and (window x sample) positions."""
        flat_low, counts = self.low.ravel(), self.counts.ravel()
        for size in np.unique(counts[counts > 0]).tolist():
            windows = np.flatnonzero(counts == size)
            for part in np.array_split(windows, -(-len(windows) * size // _CHUNK)):
                yield part, flat_low[part][:, None] + np.arange(size)
