"""Several sources into one tree: files from left to right, then single options of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metaflow_core.config.node import Mark, Node, dotted
from metaflow_core.config.yaml_reader import read_yaml
from metaflow_core.errors import ConfigError, Problem

__all__ = ["apply_set", "merge", "split_path"]


def merge(base: Node, over: Node) -> Node:
    """Lay one tree over another: maps merge, everything else (lists too) replaces; an empty value replaces nothing
    but a scalar, so that ``parsers:`` with nothing after it does not wipe out a section.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        entries = dict(base.value)
        for key, node in over.value.items():
            entries[key] = merge(entries[key], node) if key in entries else node
        return replace(base, value=entries)
    if over.value is None and isinstance(base.value, dict):
        return base
    return over


def split_path(text: str) -> list[str]:
    """``a.b`` or ``a."b.c".d`` to its parts.

    :raises ValueError: with a sentence, when a part is empty or a quote does not end.
    """
    parts: list[str] = []
    position = 0
    while position <= len(text):
        if text[position : position + 1] == '"':
            end = text.find('"', position + 1)
            if end < 0:
                raise ValueError("a quote does not end")
            part, position = text[position + 1 : end], end + 1
            if text[position : position + 1] not in ("", "."):
                raise ValueError("after a quoted part comes a dot or the end")
        else:
            end = text.find(".", position)
            end = len(text) if end < 0 else end
            part, position = text[position:end], end
        if not part:
            raise ValueError("a part of the path is empty")
        parts.append(part)
        position += 1
    return parts


def apply_set(tree: Node, settings: Sequence[str]) -> Node:
    """Apply ``--set path=value`` settings in order; the value is YAML, so ``[a, b]`` is a list and ``''`` is empty text.

    :raises ConfigError: with every setting that is wrong.
    """
    problems: list[Problem] = []
    for setting in settings:
        source = f"--set {setting.partition('=')[0]}"
        path_text, equals, value_text = setting.partition("=")
        if not equals:
            problems.append(Problem(setting, "a setting is written path=value", "--set"))
            continue
        try:
            parts = split_path(path_text.strip())
        except ValueError as error:
            problems.append(
                Problem(
                    path_text,
                    f'{error}; write e.g. parsers.TYPE.option=1, or collectors."cbpf/eth1.5".filter=tcp',
                    "--set",
                )
            )
            continue
        try:
            value = read_yaml(value_text)
        except ConfigError as error:
            problems.extend(replace(problem, file=source, line=None, path=path_text) for problem in error.problems)
            continue
        blocker = _blocker(tree, parts)
        if blocker:
            problems.append(Problem(path_text, blocker, source))
            continue
        node = _at(value, Mark(source))
        for part in reversed(parts):
            node = Node({part: node}, Mark(source))
        # --set a.b= says "nothing" on purpose, so here an empty value does replace a map
        tree = _put(tree, parts, node)
    if problems:
        raise ConfigError(problems)
    return tree


def _at(node: Node, mark: Mark) -> Node:
    if isinstance(node.value, dict):
        return Node({key: _at(child, mark) for key, child in node.value.items()}, mark)
    if isinstance(node.value, list):
        return Node([_at(child, mark) for child in node.value], mark)
    return node.at(mark)


def _blocker(tree: Node, parts: Sequence[str]) -> str:
    node: Node | None = tree
    for index, part in enumerate(parts):
        if node is None or node.value is None:
            return ""
        if not node.is_map:
            return (
                f"{dotted(parts[:index])} is {node.word} and has no options; a list is replaced as a whole: path=[a, b]"
            )
        node = node.map.get(part)
    return ""


def _put(tree: Node, parts: Sequence[str], wrapped: Node) -> Node:
    key = parts[0]
    entries = dict(tree.map)
    inner = wrapped.map[key]
    if len(parts) == 1:
        old = entries.get(key)
        entries[key] = merge(old, inner) if old is not None and old.is_map and inner.is_map else inner
    else:
        entries[key] = _put(entries.get(key, Node({}, wrapped.mark)), parts[1:], inner)
    return Node(entries, tree.mark)
