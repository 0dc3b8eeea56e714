"""An array that grows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grown"]


class Grown:
    """Views that were given out keep what they show: threads that look up are not disturbed by one that learns."""

    def __init__(self, dtype: Any) -> None:
        self._held: NDArray[Any] = np.zeros(256, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, values: Sequence[int]) -> None:
        """Adds values at the end."""
        size = self._size + len(values)
        if size > self._held.size:
            held = np.zeros(max(size, self._held.size * 3 // 2), self._held.dtype)
            held[: self._size] = self._held[: self._size]
            self._held = held
        self._held[self._size : size] = values
        self._size = size

    def view(self) -> NDArray[Any]:
        """Everything so far."""
        return self._held[: self._size]
