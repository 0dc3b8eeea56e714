"""Which name a number had at which time: what storages keep of the names that taggers tell."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import TypeAlias

from metaflow_core.query.plan import Combine, Plan, Resolve, Scan, SemiJoin, TimeRange

__all__ = ["WORD", "Histories", "Told", "span_of"]

WORD = (1 << 64) - 1
"""Numbers are 64 bits; a negative one is its two's complement."""
_SECOND = 1_000_000_000

Told: TypeAlias = tuple[int, int, str]
"""A number, the second since 1970 from which a name is its, and the name."""


class Histories:
    """Names by dictionary and number. Safe from any thread.

    The first name of a number holds for all earlier rows too: a row that came before its number was named shows the name.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held: dict[str, dict[int, list[tuple[int, str]]]] = {}
        self._changes: dict[str, list[int]] = {}

    def load(self, dictionary: str, rows: Iterable[Told]) -> None:
        """What was kept before, in order of number and time."""
        with self._lock:
            held = self._held.setdefault(dictionary, {})
            for number, start, name in rows:
                held.setdefault(number & WORD, []).append((start, name))
            self._changes[dictionary] = self._moments(dictionary)

    def learn(
        self,
        dictionary: str,
        names: Mapping[int, str],
        valid_from_s: int | None,
        keep: Callable[[Sequence[Told]], None] = lambda _: None,
    ) -> int:
        """Add names.

        :param valid_from_s: seconds since 1970 from which they are valid; None is for names that always were, and replaces what a
            number was called from its beginning.
        :param keep: stores what is new; what it raises goes on to the caller, and nothing is remembered then.
        :returns: how many were new.
        """
        with self._lock:
            held = self._held.get(dictionary, {})
            new: list[Told] = []
            for key, name in names.items():
                word = key & WORD
                history = held.get(word, [])
                start = 0 if not history or valid_from_s is None else max(0, valid_from_s)
                at = bisect_right(history, start, key=lambda each: each[0])
                if not at or history[at - 1][1] != name:
                    new.append((word, start, name))
            if not new:
                return 0
            keep(new)
            known = self._held.setdefault(dictionary, {})
            for word, start, name in new:
                history = [each for each in known.get(word, []) if each[0] != start]
                known[word] = sorted([*history, (start, name)])
            self._changes[dictionary] = self._moments(dictionary)
            return len(new)

    def forget(
        self,
        before_s: int,
        drop: Callable[[str, Sequence[Told], Sequence[tuple[int, int]]], None] = lambda *_: None,
        spared: Mapping[str, AbstractSet[int]] = MappingProxyType({}),
    ) -> int:
        """Drop the names that no row shows any more: those that had ended before the oldest row.

        The last name of a number stays, however old: taggers do not tell it again. Rows of before that come later show the name that
        stayed.

        :param before_s: no stored row is of an earlier second. :param spared: numbers by dictionary that keep all of their names: those
            that were told a short while ago, whose rows may be on their way. :param drop: is given a dictionary, the names that now hold from the
            beginning, and number and second of those that go with what they replace; what it raises goes on to the caller, and the
            dictionary's names stay.
        :returns: how many went.
        """
        count = 0
        with self._lock:
            for dictionary, held in self._held.items():
                kept: dict[int, list[tuple[int, str]]] = {}
                gone: list[tuple[int, int]] = []
                young = spared.get(dictionary, frozenset())
                for word, history in held.items():
                    if len(history) < 2 or word in young:
                        continue
                    last = bisect_right(history, before_s, key=lambda each: each[0]) - 1
                    if last > 0:
                        kept[word] = [(0, history[last][1]), *history[last + 1 :]]
                        gone += [(word, start) for start, _ in history[: last + 1] if start]
                        count += last
                if kept:
                    drop(dictionary, [(word, 0, history[0][1]) for word, history in kept.items()], gone)
                    held.update(kept)
                    self._changes[dictionary] = self._moments(dictionary)
        return count

    def _moments(self, dictionary: str) -> list[int]:
        return sorted({start for history in self._held[dictionary].values() for start, _ in history[1:]})

    def __contains__(self, dictionary: str) -> bool:
        return dictionary in self._held

    def dictionaries(self) -> tuple[str, ...]:
        """All that have names."""
        with self._lock:
            return tuple(self._held)

    def of(self, dictionary: str, number: int) -> Sequence[tuple[int, str]]:
        """The names of a number, each with the second from which it is valid, in order; none where nobody named it."""
        return self._held.get(dictionary, {}).get(number & WORD, ())

    def changes(self, dictionaries: Iterable[str], span: TimeRange | None) -> tuple[int, ...]:
        """Seconds within the span at which a name changed; of all time where there is no span."""
        found: set[int] = set()
        for dictionary in dictionaries:
            moments = self._changes.get(dictionary, [])
            if span is not None:
                low, high = span.start_ns // _SECOND, -(-span.end_ns // _SECOND)
                moments = moments[bisect_right(moments, low) : bisect_left(moments, high)]
            found.update(moments)
        return tuple(sorted(found))

    def changed(self, node: Resolve) -> bool:
        """Whether a name that is resolved here changed within the time that is read, so that rows must be told apart by time."""
        return bool(self.changes({each.tag.dictionary for each in node.outputs}, span_of(node.input)))

    def sizes(self) -> dict[str, int]:
        """How many numbers have names, by dictionary."""
        with self._lock:
            return {name: len(numbers) for name, numbers in sorted(self._held.items())}


def span_of(plan: Plan) -> TimeRange | None:
    """The range of the scan below; None where there are several, or it has none."""
    while not isinstance(plan, Scan):
        if isinstance(plan, Combine | SemiJoin):
            return None
        plan = plan.input
    return plan.time
