"""What storages are to be told: names and custom tags of numbers, in the order in which they were given."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from metaflow_core.api import IdBook, Names
from metaflow_core.api.paged import Paged

__all__ = ["Told"]

# Kinds that own no address. The names of all others stand in the dictionary of owners of any kind too; numbers are unique over all
# kinds, so it needs no kind.
_NO_OWNERS = frozenset({"region", "az", "vpc", "subnet", "pod_ns"})
_ROOM = 10_000


class Told:
    """Names come from the book; custom tags are kept as they came, and become text when they are asked for.

    Whoever asks from a position that is too old, or for the first time, is told everything that is in force.

    :param book: has the names. :ivar position: what a storage that was told everything asks from.
    """

    def __init__(self, book: IdBook) -> None:
        self._book = book
        self._tags: dict[str, Paged[Mapping[str, str]]] = {}
        self._since: dict[str, Paged[int]] = {}
        self._log: deque[tuple[str, array[int]]] = deque()
        self._logged = 0
        self._first: int | None = None
        self.position = 0

    def tags(self, dictionary: str, number: int, tags: Mapping[str, str], since_s: int | None) -> bool:
        """A number has these tags from a second on; whether it had others (or none)."""
        held = self._tags.setdefault(dictionary, Paged())
        if held.get(number) == tags:
            return False
        held.put(number, tags)
        if since_s is not None:
            self._since.setdefault(dictionary, Paged()).put(number, since_s)
        elif dictionary in self._since:
            self._since[dictionary].drop(number)
        return True

    def drop(self, dictionary: str, number: int) -> None:
        """Nothing that is known has this number any more."""
        for held in (self._tags.get(dictionary), self._since.get(dictionary)):
            if held is not None:
                held.drop(number)

    def log(self, fresh: Mapping[str, Sequence[int]], since_s: int | None, in_force: int) -> None:
        """These numbers, by dictionary, have names or tags that storages do not know yet.

        :param in_force: how many entries there are: what is long ago is not worth more room than telling all of them again.
        """
        if not self.position:
            self._first, self.position = since_s, 1
        for dictionary, numbers in fresh.items():
            self._log.append((dictionary, array("Q", dict.fromkeys(numbers))))
            self._logged += len(self._log[-1][1])
            self.position += 1
        while self._logged > 2 * in_force + _ROOM and len(self._log) > 1:
            self._logged -= len(self._log.popleft()[1])

    def after(self, position: int, known: Mapping[str, Sequence[int]]) -> Sequence[Names]:
        """What was told after a position.

        :param known: all that is in force, by dictionary; asked for only where the position is older than what is remembered.
        """
        begin = self.position - len(self._log)
        if position < begin or not position:
            return tuple(self._names(known))
        found: dict[str, list[int]] = {}
        for place, (dictionary, numbers) in enumerate(self._log, begin):
            if place >= position:
                found.setdefault(dictionary, []).extend(numbers)
        return tuple(self._names(found))

    def is_remembered(self, position: int) -> bool:
        """Whether :meth:`after` needs not everything that is in force."""
        return bool(position) and position >= self.position - len(self._log)

    def numbers(self) -> Iterator[tuple[str, list[int]]]:
        """Numbers that have custom tags, by dictionary."""
        for dictionary, held in self._tags.items():
            yield dictionary, [number for number, _ in held.items()]

    def _names(self, wanted: Mapping[str, Sequence[int]]) -> Iterator[Names]:
        """Those that always were first: they must not stand in place of what came later."""
        groups: dict[tuple[bool, int, str], dict[int, str]] = {}
        for kind, numbers in sorted(wanted.items()):
            tags = self._tags.get(kind)
            for number in dict.fromkeys(numbers):
                if tags is not None:
                    text, since = self._text(kind, tags, number)
                    dictionaries: tuple[str, ...] = (kind,)
                else:
                    text, since = self._book.name(number), self._book.since(number, self._first)
                    dictionaries = _dictionaries(kind)
                if text:
                    for name in dictionaries:
                        groups.setdefault((since is not None, since or 0, name), {})[number] = text
        for (is_later, since_s, name), texts in sorted(groups.items(), key=lambda group: group[0]):
            yield Names(name, texts, since_s if is_later else None)

    def _text(self, dictionary: str, held: Paged[Mapping[str, str]], number: int) -> tuple[str, int | None]:
        tags = held.get(number)
        if tags is None:
            return "", None
        since = self._since.get(dictionary)
        text = json.dumps(dict(tags), ensure_ascii=False, sort_keys=True)
        return text, since.get(number) if since is not None else None


def _dictionaries(kind: str) -> tuple[str, ...]:
    """The dictionaries that hold a name of some kind."""
    more = ("pod_service",) if kind == "service" else ()
    return (kind, *more) if kind in _NO_OWNERS else (kind, *more, "device")
