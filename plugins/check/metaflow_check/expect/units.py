"""Durations and shares as people write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["Duration", "Share", "duration_us", "share"]

_UNITS_US = {"us": 1, "µs": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|µs|ms|s|min)\s*\Z")
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*\Z")


def duration_us(value: object) -> float:
    """Microseconds of ``20 ms``.

    :raises ValueError: it is no duration with a unit.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit, e.g. {value:g} ms")
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration such as 800 us, 20 ms, 1.5 s or 2 min is expected")
    return float(found[1]) * _UNITS_US[found[2]]


def share(value: object) -> float:
    """A share from 0 to 1 of ``1 %`` or ``0.01``.

    :raises ValueError: it is none.
    """
    found = _SHARE.match(str(value)) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    number = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= number <= 1:
        raise ValueError("a share such as 1 % or 0.01 is expected, from 0 to 1 or 100 %")
    return number


Duration = Annotated[float, BeforeValidator(duration_us)]
"""Microseconds."""

Share = Annotated[float, BeforeValidator(share)]
"""From 0 to 1."""
