"""Gives entries their numbers, and gives them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from metaflow_core.api import IdBook
from metaflow_core.api.paged import Paged
from metaflow_core.tagging.entries import Entry, Section

__all__ = ["Numberer"]

_OF_POD = {"cluster": "pod_cluster", "namespace": "pod_ns", "node": "pod_node", "workload": "pod_group"}
_SECTIONS = {Section.SUBNETS: "subnet", Section.SERVICES: "service"}


class Numberer:
    """The numbers of one tagger. Thousands of pods share a few hundred sets of attributes: each set is kept once.

    :param book: where numbers come from; it is told of the first and of the last entry with each of them.
    """

    def __init__(self, book: IdBook) -> None:
        self._book = book
        self._uses: Paged[int] = Paged()
        self._sets: dict[tuple[tuple[str, str], ...], tuple[Mapping[str, int], int]] = {}

    def take(self, entry: Entry, since_s: int | None) -> tuple[int, Mapping[str, int], dict[str, list[int]]]:
        """The numbers of an entry: its own, those of its attributes, and by dictionary what storages are to be told the names of.

        :raises OverflowError: there are no more numbers that are narrow enough.
        """
        attributes, told = self._attributes(entry.attributes, since_s)
        kind, identity = self._identity(entry)
        try:
            own, is_new = self._hold(kind, identity, entry.name, since_s)
        except OverflowError:
            self._leave(entry.attributes)
            raise
        if is_new:
            told.setdefault(kind, []).append(own)
        return own, attributes, told

    def leave(self, entry: Entry, own: int) -> bool:
        """An entry has gone; whether it was the last one with its number."""
        self._leave(entry.attributes)
        return self._drop(*self._identity(entry), own)

    def _hold(self, kind: str, identity: str, name: str, since_s: int | None) -> tuple[int, bool]:
        """A number, and whether storages are to be told its name."""
        number, is_named = self._book.give(kind, identity, name, since_s)
        uses = self._uses.get(number) or 0
        self._uses.put(number, uses + 1)
        if uses:
            # the book needs to know of the first alone
            self._book.release(kind, identity)
        return number, is_named or not uses

    def _drop(self, kind: str, identity: str, number: int) -> bool:
        uses = (self._uses.get(number) or 1) - 1
        if uses:
            self._uses.put(number, uses)
            return False
        self._uses.drop(number)
        self._book.release(kind, identity)
        return True

    def names(self) -> Iterator[tuple[str, int]]:
        """Dictionaries and numbers of all attributes in use."""
        for made, _ in self._sets.values():
            yield from ((_OF_POD.get(name, name), number) for name, number in made.items())

    @staticmethod
    def kind(entry: Entry) -> str:
        """The dictionary that holds an entry's name."""
        return _SECTIONS.get(entry.section, entry.dictionary)

    def _identity(self, entry: Entry) -> tuple[str, str]:
        kind = self.kind(entry)
        if entry.identity:
            return kind, entry.identity
        scopes = ("cluster", "namespace") if kind in ("pod", "pod_node") else ("vpc",)
        scope = "" if kind == "service" else "/".join(entry.attributes.get(key, "") for key in scopes).strip("/")
        return kind, f"{scope}/{entry.name}" if scope else entry.name

    def _attributes(self, of: Mapping[str, str], since_s: int | None) -> tuple[Mapping[str, int], dict[str, list[int]]]:
        key = tuple(of.items())
        found = self._sets.get(key)
        if found is not None:
            self._sets[key] = found[0], found[1] + 1
            return found[0], {}
        made: dict[str, int] = {}
        told: dict[str, list[int]] = {}
        for name, text, kind, identity in _parts(of):
            try:
                made[name], is_new = self._hold(kind, identity, text, since_s)
            except OverflowError:
                self._release(of, made)
                raise
            if is_new:
                told.setdefault(kind, []).append(made[name])
        self._sets[key] = MappingProxyType(made), 1
        return self._sets[key][0], told

    def _leave(self, of: Mapping[str, str]) -> None:
        key = tuple(of.items())
        made, uses = self._sets.get(key, ({}, 0))
        if uses > 1:
            self._sets[key] = made, uses - 1
        elif self._sets.pop(key, None) is not None:
            self._release(of, made)

    def _release(self, of: Mapping[str, str], made: Mapping[str, int]) -> None:
        for name, _, kind, identity in _parts(of):
            if name in made:
                self._drop(kind, identity, made[name])


def _parts(of: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Name and text of each attribute, with the kind and the identity by which the book knows it."""
    for name, text in of.items():
        # What belongs to a cluster is told apart by it: every cluster has a namespace 'default'.
        scope = "/".join(of.get(each, "") for each in ("cluster", "namespace")) if name == "workload" else ""
        scope = of.get("cluster", "") if name in ("namespace", "node") else scope
        yield name, text, _OF_POD.get(name, name), f"{scope}/{text}" if scope else text
