"""Entries that ended, for rows that arrive late."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from metaflow_core.tagging.entries import Entry

__all__ = ["Past"]

# Until it ended nobody else had what an entry owns.
_FIRST = -(1 << 62)


class Past:
    """Not safe from several threads.

    :param history_s: how long an entry is kept after it ended, in seconds; 0 keeps none. :param most: entries that are kept.
    """

    def __init__(self, history_s: float, most: int) -> None:
        self._history_ns = int(history_s * 1e9)
        self._is_kept = bool(history_s and most)
        self._ended: deque[tuple[int, Entry]] = deque(maxlen=most or 1)

    def end(self, entry: Entry, until_ns: int, now_ns: int) -> None:
        """An entry was valid until then."""
        if self._is_kept:
            self._ended.append((now_ns, replace(entry, valid_to=until_ns, rank=_FIRST)))

    def entries(self, now_ns: int) -> list[Entry]:
        """Those that did not end too long ago, in the order in which they ended."""
        oldest = now_ns - self._history_ns
        while self._ended and self._ended[0][0] < oldest:
            self._ended.popleft()
        return [entry for _, entry in self._ended]
