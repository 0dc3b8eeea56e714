"""Files to trees in which every value knows its line."""

from __future__ import annotations

import csv
from pathlib import Path

from metaflow_core.config.node import Mark, Node
from metaflow_core.config.yaml_reader import read_yaml
from metaflow_core.errors import Problem
from metaflow_tagger_file.entries import HOST_KINDS

__all__ = ["MAX_FILE_BYTES", "read_file"]

MAX_FILE_BYTES = 256 << 20
"""Larger files are refused: they are surely something else."""

_SECTIONS = {"subnet": "subnets", "service": "services"}
_LISTS = ("cidr", "addresses", "ports")


def read_file(path: str, problems: list[Problem]) -> list[tuple[str, Node]]:
    """The entries of a file with the section each belongs to; what cannot be read is added to ``problems``."""
    file = Path(path)
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            problems.append(Problem("", f"is larger than {MAX_FILE_BYTES >> 20} MiB; is it the right file?", path))
            return []
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        problems.append(Problem("", f"cannot be read: {error.strerror}", path))
        return []
    except UnicodeDecodeError as error:
        problems.append(Problem("", f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}", path))
        return []
    if file.suffix == ".csv":
        return _csv(text, path, problems)
    if file.suffix in (".yaml", ".yml"):
        return _yaml(text, path, problems)
    problems.append(Problem("", "is named neither .yaml, .yml nor .csv, so its format is unknown", path))
    return []


def _yaml(text: str, path: str, problems: list[Problem]) -> list[tuple[str, Node]]:
    tree = read_yaml(text, path, problems)
    if not tree.is_map and tree.value is not None:
        problems.append(Problem("", f"expected the sections subnets, hosts and services, found {tree.word}", path, 1))
    out: list[tuple[str, Node]] = []
    for section, node in tree.map.items():
        if section not in ("subnets", "hosts", "services"):
            problems.append(
                Problem(
                    section, "there is no such section; there are subnets, hosts and services", path, node.mark.line
                )
            )
        elif node.value is not None and not isinstance(node.value, list):
            problems.append(Problem(section, f"expected a list of entries, found {node.word}", path, node.mark.line))
        out.extend((section, item) for item in node.items)
    return out


def _csv(text: str, path: str, problems: list[Problem]) -> list[tuple[str, Node]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    out: list[tuple[str, Node]] = []
    header: list[str] = []
    try:
        for row in reader:
            line = reader.line_num
            if not row or row[0].lstrip().startswith("#"):
                continue
            if not header:
                header = [name.strip() for name in row]
                if "kind" not in header:
                    problems.append(Problem("", "the first line must name the columns, 'kind' among them", path, line))
                    return out
                continue
            if len(row) != len(header):
                problems.append(
                    Problem("", f"has {len(row)} fields, but the first line names {len(header)} columns", path, line)
                )
                continue
            entry = _entry(dict(zip(header, row, strict=True)), Mark(path, line), problems)
            out.extend([entry] if entry is not None else [])
    except csv.Error as error:
        problems.append(Problem("", f"is no CSV: {error}", path, reader.line_num))
    return out


def _entry(row: dict[str, str], mark: Mark, problems: list[Problem]) -> tuple[str, Node] | None:
    """A row as the same map that YAML would give; several networks or ports stand with spaces between them."""
    kind = row.pop("kind").strip()
    if kind not in _SECTIONS and kind not in HOST_KINDS:
        known = ", ".join([*_SECTIONS, *HOST_KINDS])
        problems.append(Problem("kind", f"{kind!r} is no kind; there are {known}", mark.file, mark.line))
        return None
    values: dict[str, Node] = {}
    labels: dict[str, Node] = {}
    for name, text in row.items():
        value = text.strip()
        if not value:
            continue
        if name.startswith("label."):
            labels[name.removeprefix("label.")] = Node(value, mark)
        elif name in _LISTS:
            values[name] = Node([Node(part, mark) for part in value.split()], mark)
        else:
            values[name] = Node(value, mark)
    if labels:
        values["labels"] = Node(dict(labels), mark)
    if kind in HOST_KINDS:
        values["kind"] = Node(kind, mark)
        if "cidr" in values:
            values["addresses"] = values.pop("cidr")
    return _SECTIONS.get(kind, "hosts"), Node(dict(values), mark)
