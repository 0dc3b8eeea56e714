"""Functions of one number: mathematics, and the calendar (in UTC)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metaflow_dialect_promql.values import Floats

__all__ = ["CALENDAR", "MATHS"]


_LAST = 9.2e18
"""Seconds that fit into 64 bits."""


def _moments(seconds: Floats) -> tuple[Any, Any]:
    """Whole seconds as days and moments; what is no moment is 1970."""
    safe = np.where(np.abs(seconds) <= _LAST, seconds, 0)
    moments = np.trunc(safe).astype(np.int64).astype("datetime64[s]")
    return moments.astype("datetime64[D]"), moments


def _month(seconds: Floats) -> Any:
    return _moments(seconds)[0].astype("datetime64[M]")


def _day_of_week(seconds: Floats) -> Any:
    # 1970 began on a Thursday.
    return (_moments(seconds)[0].astype(np.int64) + 4) % 7


def _days_in_month(seconds: Floats) -> Any:
    month = _month(seconds)
    return (month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")


def _within(seconds: Floats, large: str, small: str) -> Any:
    """How many whole small units of the large one have passed."""
    moments = _moments(seconds)[1]
    return (moments - moments.astype(f"datetime64[{large}]")).astype(f"timedelta64[{small}]")


def _calendar(function: Callable[[Floats], Any]) -> Callable[[Floats], Floats]:
    def run(seconds: Floats) -> Floats:
        numbers = np.asarray(function(seconds)).astype(np.int64).astype(np.float64)
        # A number that is no moment does not become a date.
        return np.where(np.abs(seconds) <= _LAST, numbers, np.nan)

    return run


CALENDAR: dict[str, Callable[[Floats], Floats]] = {
    "minute": _calendar(lambda s: _within(s, "h", "m")),
    "hour": _calendar(lambda s: _within(s, "D", "h")),
    "day_of_week": _calendar(_day_of_week),
    "day_of_month": _calendar(lambda s: (_moments(s)[0] - _month(s).astype("datetime64[D]")).astype(np.int64) + 1),
    "day_of_year": _calendar(
        lambda s: (_moments(s)[0] - _moments(s)[0].astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    ),
    "days_in_month": _calendar(_days_in_month),
    "month": _calendar(lambda s: _month(s).astype(np.int64) % 12 + 1),
    "year": _calendar(lambda s: _month(s).astype("datetime64[Y]").astype(np.int64) + 1970),
}
"""Functions of moments by name; without an argument they take the step's."""

MATHS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": lambda v: np.where(v < 0, -1.0, np.where(v > 0, 1.0, v)),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "deg": lambda v: v * 180 / np.pi,
    "rad": lambda v: v * np.pi / 180,
}
"""Functions of one number by name."""
