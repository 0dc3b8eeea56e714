"""Label sets: tuples of (name, value) pairs sorted by name, the metric's name under ``__name__``; no empty values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

__all__ = ["LABEL_NAME", "NAME", "Labels", "drop", "keep", "make", "show", "without_name"]

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""A label set."""

NAME = "__name__"
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def make(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """A label set of names and values."""
    return tuple(sorted((name, value) for name, value in dict(pairs).items() if value))


def without_name(labels: Labels) -> Labels:
    """The set without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def keep(labels: Labels, names: frozenset[str]) -> Labels:
    """Only these labels."""
    return tuple(pair for pair in labels if pair[0] in names)


def drop(labels: Labels, names: frozenset[str]) -> Labels:
    """All but these labels."""
    return tuple(pair for pair in labels if pair[0] not in names)


def show(labels: Labels) -> str:
    """As Prometheus writes it: ``up{job="a"}``."""
    name = dict(labels).get(NAME, "")
    rest = ", ".join(f'{key}="{_escaped(value)}"' for key, value in labels if key != NAME)
    return f"{name}{{{rest}}}" if rest or not name else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
