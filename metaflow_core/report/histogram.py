"""Percentiles in bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Histogram"]

_STEPS_PER_OCTAVE = 64
_EXACT = 8192


class Histogram:
    """Exact up to some thousand values; beyond, counts of positive numbers in buckets of about one per cent (64 to an octave), so that any quantile is within two.

    Source: the idea of HdrHistogram's log-linear buckets (Tene), here on a plain logarithm.
    """

    __slots__ = ("_counts", "_exact", "_largest", "_zeros")

    def __init__(self) -> None:
        self._exact: npt.NDArray[np.int64] | None = np.zeros(0, np.int64)
        self._counts: dict[int, int] = {}
        self._zeros = 0
        self._largest = 0

    def add(self, values: npt.NDArray[np.int64]) -> None:
        """Count values; zero and below are one bucket."""
        if not len(values):
            return
        if self._exact is not None:
            self._exact = np.concatenate((self._exact, values))
            if len(self._exact) <= _EXACT:
                return
            values, self._exact = self._exact, None
        positive = values[values > 0]
        self._zeros += len(values) - len(positive)
        if not len(positive):
            return
        self._largest = max(self._largest, int(positive.max()))
        places, counts = np.unique(
            np.floor(np.log2(positive.astype(np.float64)) * _STEPS_PER_OCTAVE).astype(np.int64), return_counts=True
        )
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            self._counts[place] = self._counts.get(place, 0) + count

    @property
    def count(self) -> int:
        """How many values there are."""
        if self._exact is not None:
            return len(self._exact)
        return self._zeros + sum(self._counts.values())

    @property
    def largest(self) -> int:
        """The largest value, exactly."""
        if self._exact is not None:
            return int(self._exact.max(initial=0))
        return self._largest

    def quantile(self, level: float) -> int:
        """The value that this share of all values does not exceed; 0 of none."""
        if self._exact is not None:
            return int(np.quantile(self._exact, level, method="inverted_cdf")) if len(self._exact) else 0
        wanted = level * self.count
        seen = self._zeros
        if not self._counts or seen >= wanted > 0:
            return 0
        for place, count in sorted(self._counts.items()):
            seen += count
            if seen >= wanted:
                middle = 2 ** ((place + 0.5) / _STEPS_PER_OCTAVE)
                return min(round(middle), self._largest)
        return self._largest
