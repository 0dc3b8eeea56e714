"""Rows of (series, moment, value) as :class:`~metaflow_dialect_promql.samples.Samples`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metaflow_dialect_promql.labels import Labels
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.values import Floats, Ints

__all__ = ["build"]


def build(
    labels: Sequence[Labels], series: Ints, times: Ints, values: Floats, lookback_ms: int | None = None
) -> Samples:
    """Samples in order, series in the order of their labels; of two values at one moment the one that came last.

    :param series: the number of each row's series in ``labels``. :param times: milliseconds.
    """
    if not len(labels) or not len(times):
        return Samples.empty()
    order = sorted(range(len(labels)), key=lambda index: labels[index])
    place = np.empty(len(labels), np.uint16 if len(labels) <= 1 << 16 else np.uint32)
    place[order] = np.arange(len(labels))
    key = place[series]
    # Few bits make numpy sort by radix: five times as fast as comparing.
    rows = np.argsort(key, kind="stable")
    key, times, values = key[rows], times[rows], values[rows]
    same = key[1:] == key[:-1]
    if (times[1:][same] <= times[:-1][same]).any():
        rows = np.lexsort((times, key))
        key, times, values = key[rows], times[rows], values[rows]
        last = np.append((key[1:] != key[:-1]) | (times[1:] != times[:-1]), True)
        key, times, values = key[last], times[last], values[last]
    offsets = np.searchsorted(key, np.arange(len(labels) + 1))
    return Samples([labels[index] for index in order], offsets.astype(np.int64), times, values, lookback_ms)
