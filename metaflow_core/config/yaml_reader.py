"""YAML text to a tree of located nodes: the core schema of YAML 1.2, no duplicate keys, no surprises of YAML 1.1.

The tree is built from libyaml's events and not from its node graph: the composer recurses in C and a file of a hundred
thousand brackets would end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from metaflow_core.config.node import ConfigPath, Mark, Node, Scalar, dotted
from metaflow_core.errors import ConfigError, Problem

__all__ = ["MAX_DEPTH", "MAX_NODES", "read_yaml", "scalar"]

MAX_DEPTH = 64
"""How deep maps and lists may nest."""

MAX_NODES = 200_000
"""How many values a file may hold once its aliases are expanded."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
# Without a leading zero: 017 is fifteen to YAML 1.1 and seventeen to YAML 1.2, so it stays the text that was written.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,4000})\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,256}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)\Z")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)\Z")
_TAGS = {"str", "int", "float", "bool", "null", "map", "seq"}
_TAG_PREFIX = "tag:yaml.org,2002:"


def scalar(text: str) -> Scalar:
    """What an unquoted text means: null, true, false, a number, or itself."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INT.match(text):
        return int(text)
    if _HEX.match(text):
        return int(text, 16)
    if _FLOAT.match(text):
        return float(text)
    infinite = _INFINITY.match(text)
    if infinite:
        return float(f"{infinite.group(1)}inf")
    return float("nan") if _NAN.match(text) else text


def read_yaml(text: str, file: str | None = None, problems: list[Problem] | None = None) -> Node:
    """Read one YAML document.

    :param file: name for the places in messages.
    :param problems: receives what reading can go on after (a key that stands twice: the first counts), so that it is
        reported together with the mistakes found later; without it such a mistake raises too.
    :raises ConfigError: the text is no YAML, with every mistake that was found before.
    """
    reader = _Reader(text, file)
    node = reader.document()
    if problems is not None:
        problems.extend(reader.problems)
    elif reader.problems:
        raise ConfigError(reader.problems)
    return node


class _Reader:
    def __init__(self, text: str, file: str | None) -> None:
        self._file = file
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self._anchors: dict[str, Node] = {}
        self._open: set[str] = set()
        self._sizes: dict[int, int] = {}
        self._nodes = 0
        self.problems: list[Problem] = []

    def document(self) -> Node:
        self._expect(yaml.StreamStartEvent)
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return Node(None, Mark(self._file, 1, 1))
        node = self._node(self._next(), (), 0)
        self._expect(yaml.DocumentEndEvent)
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            self._problem((), event, "a second document begins here ('---'); put it into a file of its own")
        return node

    def _next(self) -> Any:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else None
            what = ", ".join(part for part in (error.context, error.problem) if part)
            raise ConfigError([*self.problems, Problem("", f"not valid YAML: {what}", self._file, line)]) from None
        except yaml.YAMLError as error:
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError([*self.problems, Problem("", f"not valid YAML: {what}", self._file, None)]) from None

    def _expect(self, kind: type) -> None:
        event = self._next()
        if not isinstance(event, kind):
            raise ConfigError([Problem("", "not valid YAML: unexpected structure", self._file, self._mark(event).line)])

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        return Mark(self._file, mark.line + 1, mark.column + 1)

    def _problem(self, path: ConfigPath, event: Any, message: str) -> None:
        self.problems.append(Problem(dotted(path), message, self._file, self._mark(event).line))

    def _count(self, event: Any, amount: int = 1) -> None:
        self._nodes += amount
        if self._nodes > MAX_NODES:
            message = (
                f"the file holds more than {MAX_NODES} values once its aliases are expanded; this is no configuration"
            )
            raise ConfigError([*self.problems, Problem("", message, self._file, self._mark(event).line)])

    def _node(self, event: Any, path: ConfigPath, depth: int) -> Node:
        mark = self._mark(event)
        if depth > MAX_DEPTH:
            message = f"maps and lists nest deeper than {MAX_DEPTH} levels; this is no configuration"
            raise ConfigError([*self.problems, Problem("", message, self._file, mark.line)])
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._check_tag(event, path)
        before = self._nodes
        self._count(event)
        if event.anchor:
            self._open.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.tag is None
            node = Node(scalar(event.value) if plain else self._tagged(event, path), mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node(self._list(path, depth), mark)
        else:
            node = Node(self._map(path, depth), mark)
        if event.anchor:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = node
            self._sizes[id(node)] = self._nodes - before
        return node

    def _alias(self, event: Any, path: ConfigPath) -> Node:
        if event.anchor in self._open:
            self._problem(path, event, f"*{event.anchor} stands inside the value it names; it would never end")
            return Node(None, self._mark(event))
        node = self._anchors.get(event.anchor)
        if node is None:
            self._problem(path, event, f"*{event.anchor} names no earlier value (&{event.anchor})")
            return Node(None, self._mark(event))
        self._count(event, self._sizes.get(id(node), 1))
        return node

    def _list(self, path: ConfigPath, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return items

    def _map(self, path: ConfigPath, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path, depth)
            mark = self._mark(event)
            value = self._node(self._next(), (*path, key), depth + 1).at(mark)
            if key in entries:
                first = entries[key].mark.line
                self._problem((*path, key), event, f"the key stands here a second time; the first is in line {first}")
            elif key == "<<" and event.implicit[0]:
                self._problem(
                    path, event, "merge keys ('<<') are not supported; merge files instead: -c base.yaml -c more.yaml"
                )
            else:
                entries[key] = value
        return entries

    def _key(self, event: Any, path: ConfigPath, depth: int) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self._count(event)
            # a key is always the text that was written: 8080 and no are names here
            return str(event.value)
        self._problem(path, event, "a key must be text, found a map, a list or an alias")
        self._node(event, path, depth + 1)
        return "?"

    def _check_tag(self, event: Any, path: ConfigPath) -> None:
        if event.tag is None or event.tag == "!":
            return
        if not (event.tag.startswith(_TAG_PREFIX) and event.tag[len(_TAG_PREFIX) :] in _TAGS):
            self._problem(path, event, f"the tag {event.tag!r} is not allowed; write plain values")

    def _tagged(self, event: Any, path: ConfigPath) -> Scalar:
        tag = (event.tag or "").removeprefix(_TAG_PREFIX)
        if tag in ("", "!", "str") or tag not in _TAGS:
            return str(event.value)
        value = scalar(event.value)
        types: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        fits = types.get(tag, (str,))
        if not isinstance(value, fits):
            self._problem(path, event, f"the value is tagged !!{tag} but is not one")
        return value
