"""A configuration as a tree in which every value knows where it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

__all__ = ["ConfigPath", "Mark", "Node", "Scalar", "dotted", "from_plain"]

Scalar: TypeAlias = str | int | float | bool | None
ConfigPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the tree: keys and positions in lists."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something was written.

    :ivar file: name of the file, or how else it came in (``--set a.b=c``); None for a mapping given by a program.
    :ivar line: counted from 1, None when there are no lines. :ivar column: counted from 1.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place. ``value`` is a scalar, a list of nodes, or a map of nodes.

    :ivar mark: where it was written; for a value of a map, where its key stands.
    :ivar placeholder: the ``${...}`` the value came from, empty for a value written as it is. What came from a
        placeholder may be a secret: no message ever shows it.
    :ivar filled: the texts that placeholders of this value were replaced by.
    """

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark = field(default_factory=Mark, compare=False)
    placeholder: str = ""
    filled: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_map(self) -> bool:
        """Whether it is a map."""
        return isinstance(self.value, dict)

    @property
    def map(self) -> dict[str, Node]:
        """The entries of a map; an empty value (``parsers:`` with nothing after it) is an empty map."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list."""
        return self.value if isinstance(self.value, list) else []

    @property
    def word(self) -> str:
        """What kind of value it is, for sentences; never the value itself."""
        if isinstance(self.value, dict):
            return "a map"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "nothing"
        return "text" if isinstance(self.value, str) else f"{self.value!r}"

    def plain(self) -> object:
        """The values alone."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def find(self, path: Sequence[str | int]) -> Node:
        """The node at a path, or the nearest one above it."""
        node = self
        for part in path:
            child: Node | None = None
            if isinstance(node.value, dict):
                child = node.value.get(str(part))
            elif isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.value):
                child = node.value[part]
            if child is None:
                break
            node = child
        return node

    def get(self, *path: str) -> Node | None:
        """The node at a path of keys, None when it is not there."""
        node: Node | None = self
        for part in path:
            node = node.map.get(part) if node is not None else None
        return node

    def leaves(self, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, Node]]:
        """Every scalar with its path, in order."""
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.leaves((*path, key))
        elif isinstance(self.value, list):
            for index, child in enumerate(self.value):
                yield from child.leaves((*path, index))
        else:
            yield path, self

    def at(self, mark: Mark) -> Node:
        """The same value, said to stand elsewhere."""
        return replace(self, mark=mark)


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: ``pipelines.l7.parsers[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def from_plain(value: object, mark: Mark | None = None) -> Node:
    """A tree from the maps, lists and scalars of a program.

    :raises TypeError: a value is none of these, or a key is not text; the sentence says where.
    """
    return _from_plain(value, mark or Mark(), ())


def _from_plain(value: object, mark: Mark, path: ConfigPath) -> Node:
    if isinstance(value, Mapping):
        entries: dict[str, Node] = {}
        for key, child in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{dotted(path) or 'the configuration'}: keys are text, found {key!r}")
            entries[key] = _from_plain(child, mark, (*path, key))
        return Node(entries, mark)
    if isinstance(value, (list, tuple)):
        return Node([_from_plain(child, mark, (*path, index)) for index, child in enumerate(value)], mark)
    if value is None or isinstance(value, (str, bool, int, float)):
        return Node(value, mark)
    if hasattr(value, "__fspath__"):
        return Node(str(value), mark)
    raise TypeError(
        f"{dotted(path) or 'the configuration'}: {type(value).__name__} cannot stand in a configuration; "
        "allowed are maps, lists, text, numbers, true, false and None"
    )
