"""``label_replace`` and ``label_join``, with the regular expressions of RE2."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.labels import LABEL_NAME, Labels, make
from metaflow_dialect_promql.values import Vector, relabelled

__all__ = ["expand", "label_join", "label_replace", "matches"]

_GROUP_NAME = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\((\?P?<(\w+)>|\?)?")
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def anchored(pattern: str) -> str:
    """A pattern that must match the whole text; a dot matches line ends too."""
    return f"^(?s:{pattern})$"


def matches(values: Sequence[str], pattern: str) -> list[bool]:
    """Which values match the whole pattern.

    :raises QueryError: the pattern is no regular expression.
    """
    try:
        found = pc.match_substring_regex(pa.array(values, pa.utf8()), anchored(pattern))
    except pa.ArrowInvalid as error:
        raise QueryError(str(error).removeprefix("Invalid regular expression: ").strip()) from None
    return [bool(each) for each in found.to_pylist()]


def _groups(pattern: str) -> tuple[int, dict[str, int]]:
    """How many groups a pattern has, and the numbers of those with names."""
    count = 0
    names: dict[str, int] = {}
    for token in _GROUP_NAME.finditer(pattern):
        if token.group().startswith("(") and (token.group(2) or token.group(1) is None):
            count += 1
            if token.group(2):
                names[token.group(2)] = count
    return count, names


def expand(pattern: str, replacement: str) -> str:
    """A replacement as Go writes it (``$1``, ``${name}``, ``$$``) in the writing of RE2; unknown groups are empty."""
    count, names = _groups(pattern)

    def variable(found: re.Match[str]) -> str:
        if found.group(1):
            return "$"
        name = found.group(2) or found.group(3)
        number = int(name) if name.isdecimal() else names.get(name, -1)
        return f"\\{number}" if 0 <= number <= min(count, 9) else ""

    return _VARIABLE.sub(variable, replacement.replace("\\", "\\\\"))


def _with(labels: Labels, name: str, value: str) -> Labels:
    return make({**dict(labels), name: value})


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """See Prometheus; a series whose label does not match stays as it is.

    :raises QueryError: the pattern or the label's name is wrong, or two series come to have the same labels.
    """
    if not LABEL_NAME.match(target):
        raise QueryError(f"invalid destination label name in label_replace(): {target}")
    values = [dict(labels).get(source, "") for labels in vector.labels] or [""]
    try:
        hit = matches(values, pattern)
        changed = pc.replace_substring_regex(
            pa.array(values, pa.utf8()), anchored(pattern), expand(pattern, replacement)
        ).to_pylist()
    except (QueryError, pa.ArrowInvalid):
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}") from None
    new = {
        index: _with(labels, target, changed[index]) if hit[index] else labels
        for index, labels in enumerate(vector.labels)
    }
    return relabelled(Vector(list(new.values()), vector.values, vector.present, vector.ordered), lambda each: each)


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """See Prometheus.

    :raises QueryError: a label's name is wrong, or two series come to have the same labels.
    """
    if not LABEL_NAME.match(target):
        raise QueryError(f"invalid destination label name in label_join(): {target}")
    wrong = next((name for name in sources if not LABEL_NAME.match(name)), None)
    if wrong is not None:
        raise QueryError(f"invalid source label name in label_join(): {wrong}")

    def joined(labels: Labels) -> Labels:
        values = dict(labels)
        return _with(labels, target, separator.join(values.get(name, "") for name in sources))

    return relabelled(vector, joined)
