"""One object for what thousands of pods say alike: names of nodes and owners, and whole sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["Shared"]

T = TypeVar("T")
_MOST = 50_000


class Shared:
    """Gives back the object that it was given first of those that are equal. Forgets all when it has seen too many: objects that were
    given out stay what they are. Safe from several threads: at worst two of them keep an object each.
    """

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def text(self, text: str) -> str:
        """A text."""
        return self._of(text, text)

    def pair(self, first: str, second: str) -> tuple[str, str]:
        """Two texts."""
        return self._of((first, second), (first, second))

    def tags(self, tags: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
        """Custom tags by dictionary."""
        return self._of(tuple((name, *each.items()) for name, each in tags.items()), tags)

    def _of(self, key: Any, value: T) -> T:
        found: T | None = self._held.get(key)
        if found is not None:
            return found
        if len(self._held) >= _MOST:
            self._held.clear()
        self._held[key] = value
        return value
