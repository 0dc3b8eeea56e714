"""Binary search inside many small sorted stretches of one array at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["last_not_after"]


def last_not_after(
    keys: NDArray[Any], first: NDArray[np.int64], stretch: NDArray[np.int64], values: NDArray[Any]
) -> NDArray[np.int64]:
    """For each value the place of the last key of its stretch that is not greater.

    :param keys: sorted inside each stretch, whose first key no value is below. :param first: where each stretch begins in ``keys``, and
        behind the last one the end. :param stretch: the stretch of each value.
    """
    low = first[stretch]
    if first.size - 1 == keys.size:
        return low
    high = first[stretch + 1]
    # most stretches have one key or two: after a few rounds only the rows of the long ones are left
    while True:
        rows = np.flatnonzero(high - low > 1)
        if not rows.size:
            return low
        if rows.size > low.size // 2:
            middle = (low + high) >> 1
            fits = keys[middle] <= values
            low = np.where(fits, middle, low)
            # a stretch of one key stays as it is: its middle is its only key
            high = np.where(fits, high, middle)
            continue
        some_low, some_high, some = low[rows], high[rows], values[rows]
        middle = (some_low + some_high) >> 1
        fits = keys[middle] <= some
        low[rows] = np.where(fits, middle, some_low)
        high[rows] = np.where(fits, some_high, middle)
