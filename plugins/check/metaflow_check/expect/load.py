"""The file of expectations: read, checked, every mistake with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from metaflow_check.expect.ends import Names, read_end
from metaflow_check.expect.models import KINDS
from metaflow_core.api import Config
from metaflow_core.config.explain import explain, nearest
from metaflow_core.config.node import Node
from metaflow_core.config.yaml_reader import read_yaml
from metaflow_core.errors import ConfigError, Problem

__all__ = ["Expectation", "Expectations", "load"]

_TOP = ("version", "names", "checks")
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Expectation:
    """One check as it was written.

    :ivar name: for verdicts; made from the kind and its options where none is given.
    :ivar place: ``checks.yaml:12``.
    """

    kind: str
    name: str
    options: Config
    file: str
    line: int | None

    @property
    def place(self) -> str:
        """Where it stands."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def problem(self, message: str) -> Problem:
        """A mistake of it that shows only later."""
        return Problem(self.kind, message, self.file, self.line)


@dataclass(frozen=True, slots=True)
class Expectations:
    """Everything that is expected."""

    checks: tuple[Expectation, ...]
    names: Names


def load(files: Sequence[str]) -> Expectations:
    """Read the files; their checks follow each other, and names of all hold for all.

    :raises ConfigError: with every mistake at once.
    """
    problems: list[Problem] = []
    trees = [_tree(file, problems) for file in files]
    given: dict[str, tuple[str, ...]] = {}
    for tree in trees:
        given.update(_names(tree.map.get("names", Node({})), problems))
    names = Names(given)
    checks: list[Expectation] = []
    for file, tree in zip(files, trees, strict=True):
        for key, node in tree.map.items():
            if key not in _TOP:
                problems.append(_problem(key, f"there is no such key{nearest(key, _TOP)}", node))
        found = tree.map.get("checks", Node([]))
        if found.value is not None and not isinstance(found.value, list):
            problems.append(_problem("checks", f"a list of checks is expected, found {found.word}", found))
        for index, node in enumerate(found.items):
            check = _check(node, f"checks[{index}]", file, names, problems)
            if check is not None:
                checks.append(check)
    if not problems and not checks:
        problems.append(Problem("checks", "nothing is expected; write at least one check", ", ".join(files)))
    if problems:
        raise ConfigError(problems)
    return Expectations(tuple(checks), names)


def _tree(file: str, problems: list[Problem]) -> Node:
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem("", f"cannot be read: {error.strerror or error}", file))
        return Node({})
    if len(text) > _MOST_BYTES:
        problems.append(Problem("", "is larger than 4 MB, which no list of checks is", file))
        return Node({})
    try:
        tree = read_yaml(text.decode("utf-8"), file, problems)
    except UnicodeDecodeError as error:
        problems.append(Problem("", f"is no UTF-8 text: byte {error.start} is {text[error.start]:#04x}", file))
        return Node({})
    except ConfigError as error:
        problems.extend(error.problems)
        return Node({})
    if not tree.is_map:
        problems.append(_problem("", f"a map with 'checks' is expected, found {tree.word}", tree))
        return Node({})
    version = tree.map.get("version", Node(1))
    if version.value != 1:
        problems.append(_problem("version", f"this MetaFlow knows version 1, found {version.word}", version))
    return tree


def _names(node: Node, problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    if not node.is_map and node.value is not None:
        problems.append(_problem("names", f"a map of names is expected, found {node.word}", node))
    for name, value in node.map.items():
        items = value.items if isinstance(value.value, list) else [value]
        ends: list[str] = []
        for item in items:
            try:
                read_end(str(item.value))
            except ValueError as error:
                problems.append(_problem(f"names.{name}", str(error), item))
            else:
                ends.append(str(item.value))
        found[name] = tuple(ends)
    return found


def _check(node: Node, path: str, file: str, names: Names, problems: list[Problem]) -> Expectation | None:
    if not node.is_map:
        problems.append(_problem(path, f"a check is a map such as 'errors: {{max: 0}}', found {node.word}", node))
        return None
    kinds = [key for key in node.map if key in KINDS]
    for key, value in node.map.items():
        if key not in KINDS and key != "name":
            problems.append(
                _problem(f"{path}.{key}", f"there is no such kind of check{nearest(key, (*KINDS, 'name'))}", value)
            )
    if len(kinds) != 1:
        if kinds or set(node.map) <= {"name"}:
            said = "has no kind" if not kinds else f"has several kinds: {', '.join(kinds)}"
            problems.append(_problem(path, f"{said}; a check is one of {', '.join(KINDS)}", node))
        return None
    kind = kinds[0]
    options = _options(kind, node.map[kind], path, names, problems)
    if options is None:
        return None
    name = node.map.get("name")
    text = str(name.value) if name is not None and name.value is not None else _title(kind, node.map[kind])
    place = node.map[kind].mark
    return Expectation(kind, text, options, place.file or file, place.line)


def _options(kind: str, node: Node, path: str, names: Names, problems: list[Problem]) -> Config | None:
    model = KINDS[kind]
    if not node.is_map and node.value is not None:
        problems.append(_problem(f"{path}.{kind}", f"a map of options is expected, found {node.word}", node))
        return None
    try:
        options = model.model_validate(node.plain() or {})
    except ValidationError as error:
        problems.extend(explain(error, node, (*path.split("."), kind), model))
        return None
    wrong = False
    for option, value in _ends(options):
        try:
            names.ends(value)
        except ValueError as error:
            problems.append(_problem(f"{path}.{kind}.{option}", str(error), node.map.get(option, node)))
            wrong = True
    return None if wrong else options


def _ends(options: Config) -> list[tuple[str, str]]:
    """Every end that the options name, with the option."""
    found = [(name, getattr(options, name)) for name in ("client", "server") if hasattr(options, name)]
    for name in ("required", "allowed", "forbidden"):
        for text in getattr(options, name, ()):
            if "->" in text:
                found.extend((name, part.strip()) for part in text.split("->"))
    return found


def _title(kind: str, node: Node) -> str:
    """A name for a check that has none: its kind and what was written below it, short."""
    words = ", ".join(f"{key} {_short(value)}" for key, value in node.map.items())
    text = f"{kind.replace('_', ' ')}: {words}" if words else kind.replace("_", " ")
    return text if len(text) <= 100 else f"{text[:99]}…"


def _short(node: Node) -> str:
    return ", ".join(_short(item) for item in node.items) if isinstance(node.value, list) else str(node.value)


def _problem(path: str, message: str, node: Node) -> Problem:
    return Problem(path, message, node.mark.file, node.mark.line)
