"""Binary operations, with matching of series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.labels import Labels, drop, keep, make, show, without_name
from metaflow_dialect_promql.syntax.nodes import Binary
from metaflow_dialect_promql.values import Bools, Floats, Scalar, Vector, merged, relabelled

__all__ = ["COMPARISONS", "SETS", "binary"]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
SETS = frozenset({"and", "or", "unless"})


def _computed(op: str, left: Any, right: Any) -> tuple[Floats, Bools | None]:
    """The numbers of an operation; for a comparison those of the left side, and where it holds."""
    with np.errstate(all="ignore"):
        if op in COMPARISONS:
            held = np.asarray(COMPARISONS[op](left, right))
            return np.broadcast_to(left, held.shape), held
        return np.asarray(_ARITHMETIC[op](left, right), np.float64), None


def binary(node: Binary, left: Vector | Scalar, right: Vector | Scalar) -> Vector | Scalar:
    """The operation, whatever its sides are.

    :raises QueryError: series do not match as the operation says.
    """
    if isinstance(left, Scalar):
        if isinstance(right, Scalar):
            numbers, held = _computed(node.op, left.values, right.values)
            return Scalar(numbers if held is None else held.astype(np.float64))
        return _with_scalar(node, right, left.values, scalar_is_left=True)
    if isinstance(right, Scalar):
        return _with_scalar(node, left, right.values, scalar_is_left=False)
    if node.op in SETS:
        return _set(node, left, right)
    return _matched(node, left, right)


def _with_scalar(node: Binary, vector: Vector, scalar: Floats, scalar_is_left: bool) -> Vector:
    sides = (scalar[None, :], vector.values) if scalar_is_left else (vector.values, scalar[None, :])
    numbers, held = _computed(node.op, *sides)
    if held is None:
        return relabelled(Vector(vector.labels, numbers, vector.present))
    if node.returns_bool:
        return relabelled(Vector(vector.labels, held.astype(np.float64), vector.present))
    # A filter leaves the vector's own number, whichever side it is on.
    return Vector(vector.labels, vector.values, vector.present & held, vector.ordered).compact()


def _signature(node: Binary) -> Callable[[Labels], Labels]:
    if node.on:
        names = frozenset(node.labels)
        return lambda labels: keep(labels, names)
    names = frozenset((*node.labels, "__name__"))
    return lambda labels: drop(labels, names)


def _by_signature(vector: Vector, signature: Callable[[Labels], Labels]) -> dict[Labels, list[int]]:
    groups: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        groups.setdefault(signature(labels), []).append(row)
    return groups


def _set(node: Binary, left: Vector, right: Vector) -> Vector:
    """``and``, ``or``, ``unless``, step by step."""
    signature = _signature(node)
    kept, other = (right, left) if node.op == "or" else (left, right)
    groups = _by_signature(other, signature)
    present = kept.present.copy()
    nothing = np.zeros(present.shape[1], np.bool_)
    cache: dict[Labels, Bools] = {}
    for row, labels in enumerate(kept.labels):
        key = signature(labels)
        if key not in cache:
            rows = groups.get(key)
            cache[key] = np.asarray(other.present[rows].any(axis=0)) if rows else nothing
        present[row] &= cache[key] if node.op == "and" else ~cache[key]
    chosen = Vector(kept.labels, kept.values, present).compact()
    if node.op != "or":
        return chosen
    both = Vector(
        [*left.labels, *chosen.labels],
        np.concatenate((left.values, chosen.values)),
        np.concatenate((left.present, chosen.present)),
    )
    return merged(both)


def _side(vector: Vector, rows: Sequence[int], side: str, key: Labels, met: Bools) -> list[tuple[int, Bools]]:
    """The series of the "one" side of a group; at each step there may be one of them.

    :param met: the steps at which the other side has anything; the others are not looked at.
    :raises QueryError: there are two.
    """
    if len(rows) > 1:
        many = (vector.present[rows].sum(axis=0) > 1) & met
        if many.any():
            step = int(np.flatnonzero(many)[0])
            shown = [show(vector.labels[row]) for row in rows if vector.present[row, step]]
            raise QueryError(
                f"found duplicate series for the match group {show(key)} on the {side} hand-side of the operation: "
                f"[{shown[1]}, {shown[0]}];many-to-many matching not allowed: matching labels must be unique on one side"
            )
    return [(row, vector.present[row]) for row in rows]


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    signature = _signature(node)
    many, one, side = (right, left, "left") if node.card == "one-to-many" else (left, right, "right")
    met = np.asarray(many.present.any(axis=0))
    ones = {key: _side(one, rows, side, key, met) for key, rows in _by_signature(one, signature).items()}
    rows_many: list[int] = []
    rows_one: list[int] = []
    labels: list[Labels] = []
    keys: list[Labels] = []
    for row, found in enumerate(many.labels):
        key = signature(found)
        for other, _ in ones.get(key, ()):
            rows_many.append(row)
            rows_one.append(other)
            keys.append(key)
            labels.append(_result_labels(node, found, one.labels[other]))
    steps = left.values.shape[1]
    if node.fill != (None, None):
        raise QueryError("fill modifiers of binary operations are not supported")
    if not rows_many:
        return Vector.empty(steps)
    sides = (many.values[rows_many], one.values[rows_one])
    numbers, held = _computed(node.op, *(sides if many is left else sides[::-1]))
    present = many.present[rows_many] & one.present[rows_one]
    if held is not None:
        if node.returns_bool:
            numbers = held.astype(np.float64)
        else:
            present = present & held
    if node.card == "one-to-one":
        _check_one_to_one(keys, present)
    return merged(
        Vector(labels, np.asarray(numbers), present),
        lambda each: (
            "multiple matches for labels: "
            + (
                "many-to-one matching must be explicit (group_left/group_right)"
                if node.card == "one-to-one"
                else "grouping labels must ensure unique matches"
            )
        ),
    )


def _check_one_to_one(keys: Sequence[Labels], present: Bools) -> None:
    """No two series of the left side may meet the same one of the right side at one step."""
    groups: dict[Labels, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    for rows in groups.values():
        if len(rows) > 1 and (present[rows].sum(axis=0) > 1).any():
            raise QueryError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    out = many
    if node.op not in COMPARISONS or node.returns_bool:
        out = without_name(out)
    if node.card == "one-to-one":
        names = frozenset(node.labels)
        return keep(out, names) if node.on else drop(out, names)
    if node.include:
        theirs = dict(one)
        out = make({**dict(out), **{name: theirs.get(name, "") for name in node.include}})
    return out
