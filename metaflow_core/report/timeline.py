"""Requests and failures over time in bounded memory: steps double when there are too many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from metaflow_core.report.model import Moment

__all__ = ["Timeline"]

_FINEST_NS = 10_000_000
_MOST_KEPT = 8192
_MOST_SHOWN = 240


class Timeline:
    """Counts by steps of time, 10 ms at first."""

    def __init__(self) -> None:
        self._step = _FINEST_NS
        self._counts: dict[int, list[int]] = {}

    def add(self, times_ns: npt.NDArray[np.int64], failed: npt.NDArray[np.bool_]) -> None:
        """Count requests by when they began; a time of 0 is none."""
        known = times_ns > 0
        places, inverse = np.unique(times_ns[known] // self._step, return_inverse=True)
        totals = np.bincount(inverse, minlength=len(places)).tolist()
        bad = np.bincount(inverse, weights=failed[known], minlength=len(places)).astype(np.int64).tolist()
        for place, total, errors in zip(places.tolist(), totals, bad, strict=True):
            counts = self._counts.setdefault(place, [0, 0])
            counts[0] += total
            counts[1] += errors
        while len(self._counts) > _MOST_KEPT:
            self._widen()

    def _widen(self) -> None:
        self._step *= 2
        old, self._counts = self._counts, {}
        for place, (total, errors) in old.items():
            counts = self._counts.setdefault(place // 2, [0, 0])
            counts[0] += total
            counts[1] += errors

    def moments(self) -> tuple[int, tuple[Moment, ...]]:
        """The step in nanoseconds, and at most some hundred steps in order."""
        while self._counts and max(self._counts) - min(self._counts) >= _MOST_SHOWN:
            self._widen()
        step = self._step
        moments = [
            Moment(time_ns=place * step, requests=counts[0], errors=counts[1])
            for place, counts in sorted(self._counts.items())
        ]
        return step, tuple(moments)
