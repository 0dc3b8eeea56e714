"""A map of dense numbers to things, at eight bytes each where a dictionary takes a hundred."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Paged"]

T = TypeVar("T")
_BITS = 8
_MASK = (1 << _BITS) - 1


class Paged(Generic[T]):
    """Numbers that are given one after the other and forgotten in about that order: pages whose last number went are dropped."""

    def __init__(self) -> None:
        self._pages: dict[int, list[T | None]] = {}
        self._held: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(self._held.values())

    def get(self, number: int) -> T | None:
        """What a number stands for; None for nothing."""
        page = self._pages.get(number >> _BITS)
        return page[number & _MASK] if page is not None else None

    def put(self, number: int, value: T) -> None:
        """From now on it stands for this."""
        key = number >> _BITS
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = [None] * (_MASK + 1)
            self._held[key] = 0
        if page[number & _MASK] is None:
            self._held[key] += 1
        page[number & _MASK] = value

    def drop(self, number: int) -> None:
        """It stands for nothing any more."""
        key = number >> _BITS
        page = self._pages.get(key)
        if page is None or page[number & _MASK] is None:
            return
        page[number & _MASK] = None
        self._held[key] -= 1
        if not self._held[key]:
            del self._pages[key], self._held[key]

    def items(self) -> Iterator[tuple[int, T]]:
        """Numbers in order, with what they stand for."""
        for key in sorted(self._pages):
            for place, value in enumerate(self._pages[key]):
                if value is not None:
                    yield key << _BITS | place, value
