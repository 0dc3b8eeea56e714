"""What storages are to be told: names and custom tags of numbers, in the order in which they were given."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metaflow_core.api import IdBook, Names
from metaflow_core.api.paged import Paged

__all__ = ["Told"]

# Kinds that own no address. The names of all others stand in the dictionary of owners of any kind too; numbers are unique over all
# kinds, so it needs no kind.
_NO_OWNERS = frozenset({"region", "az", "vpc", "subnet", "pod_ns"})
_ROOM = 10_000


@dataclass(frozen=True, slots=True)
class _Said:
    """Numbers of one dictionary that got names, or tags, at one time.

    :ivar tags: what they were then; None for names, and for whatever they are now.
    """

    dictionary: str
    numbers: array[int]
    tags: tuple[Mapping[str, str], ...] | None
    since_s: int | None


class Told:
    """Names come from the book; custom tags are kept as they came, and become text when they are asked for.

    Whoever asks from a position that is too old, or for the first time, is told everything that is in force.

    :param book: has the names. :ivar position: what a storage that was told everything asks from.
    """

    def __init__(self, book: IdBook) -> None:
        self._book = book
        self._tags: dict[str, Paged[Mapping[str, str]]] = {}
        self._since: dict[str, Paged[int]] = {}
        self._log: deque[_Said] = deque()
        self._logged = 0
        self._first: int | None = None
        self._is_whole = True
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

    def tagged(self, number: int) -> set[str]:
        """The dictionaries that hold tags of a number."""
        return {dictionary for dictionary, held in self._tags.items() if held.get(number)}

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
        for dictionary, found in fresh.items():
            numbers = array("Q", dict.fromkeys(found))
            held = self._tags.get(dictionary)
            tags = None if held is None else tuple(held.get(number) or {} for number in numbers)
            self._log.append(_Said(dictionary, numbers, tags, since_s))
            self._logged += len(numbers)
            self.position += 1
        while self._logged > 2 * in_force + _ROOM and len(self._log) > 1:
            self._logged -= len(self._log.popleft().numbers)
            self._is_whole = False

    def after(self, position: int, known: Mapping[str, Sequence[int]]) -> Sequence[Names]:
        """What was told after a position.

        :param known: what is to be told besides: all that is in force, by dictionary, where :meth:`is_remembered` says no; of the past
            for who asks for the first time.
        """
        begin = self.position - len(self._log)
        told = [_Said(dictionary, array("Q", dict.fromkeys(each)), None, None) for dictionary, each in known.items()]
        if self.is_remembered(position):
            told += [each for place, each in enumerate(self._log, begin) if place >= position]
        return tuple(self._names(told))

    def is_remembered(self, position: int) -> bool:
        """Whether everything after a position is; else what is in force is told anew."""
        return self._is_whole or (bool(position) and position >= self.position - len(self._log))

    def numbers(self) -> Iterator[tuple[str, list[int]]]:
        """Numbers that have custom tags, by dictionary."""
        for dictionary, held in self._tags.items():
            yield dictionary, [number for number, _ in held.items()]

    def _names(self, said: Sequence[_Said]) -> Iterator[Names]:
        """Those that always were come first: they must not stand in place of what came later."""
        groups: dict[tuple[bool, int, str], dict[int, str]] = {}
        for each in said:
            is_name = each.dictionary not in self._tags
            dictionaries = _dictionaries(each.dictionary) if is_name else (each.dictionary,)
            for place, number in enumerate(each.numbers):
                if is_name:
                    first = each.since_s if each.since_s is not None else self._first
                    text, since = self._book.name(number), self._book.since(number, first)
                elif each.tags is not None:
                    text, since = _text(each.tags[place]), each.since_s
                else:
                    text, since = self._text(each.dictionary, number)
                for name in dictionaries if text else ():
                    groups.setdefault((since is not None, since or 0, name), {})[number] = text
        for (is_later, since_s, name), texts in sorted(groups.items(), key=lambda group: group[0]):
            yield Names(name, texts, since_s if is_later else None)

    def _text(self, dictionary: str, number: int) -> tuple[str, int | None]:
        since = self._since.get(dictionary)
        return _text(self._tags[dictionary].get(number) or {}), since.get(number) if since is not None else None


def _text(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(tags), ensure_ascii=False, sort_keys=True)


def _dictionaries(kind: str) -> tuple[str, ...]:
    """The dictionaries that hold a name of some kind."""
    more = ("pod_service",) if kind == "service" else ()
    return (kind, *more) if kind in _NO_OWNERS else (kind, *more, "device")
