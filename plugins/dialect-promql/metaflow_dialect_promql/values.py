"""What expressions are worth: one number a series and step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.labels import Labels, without_name

__all__ = ["Bools", "Floats", "Ints", "Scalar", "Text", "Value", "Vector", "apply", "merged", "relabelled"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

SAME_LABELS = "vector cannot contain metrics with the same labelset"


@dataclass(frozen=True, slots=True)
class Vector:
    """Series over the steps of a query.

    :ivar labels: one set a series. :ivar values: (series x steps). :ivar present: where a series has a value; others mean nothing.
    :ivar ordered: the order of the series is part of the answer (``sort``, ``topk``).
    """

    labels: Sequence[Labels]
    values: Floats
    present: Bools
    ordered: bool = False

    @classmethod
    def empty(cls, steps: int) -> Vector:
        """No series."""
        return cls((), np.empty((0, steps)), np.empty((0, steps), np.bool_))

    def take(self, rows: Sequence[int] | Ints) -> Vector:
        """Some of the series, in the order given."""
        index = np.asarray(rows, np.int64)
        return Vector([self.labels[row] for row in index], self.values[index], self.present[index])

    def compact(self) -> Vector:
        """Without the series that have no value at any step."""
        some = self.present.any(axis=1)
        return self if some.all() else self.take(np.flatnonzero(some))


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number a step."""

    values: Floats


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    value: str


Value: TypeAlias = Vector | Scalar | Text
"""Any value."""


def merged(vector: Vector, error: Callable[[Labels], str] | None = None) -> Vector:
    """Series with the same labels as one.

    :param error: the sentence when two of them have a value at the same step.
    :raises QueryError: two of them have.
    """
    vector = vector.compact()
    groups: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        groups.setdefault(labels, []).append(row)
    if len(groups) == len(vector.labels):
        return vector
    values = np.empty((len(groups), vector.values.shape[1]))
    present = np.empty(values.shape, np.bool_)
    for index, (labels, rows) in enumerate(groups.items()):
        if len(rows) > 1 and (vector.present[rows].sum(axis=0) > 1).any():
            raise QueryError(error(labels) if error else SAME_LABELS)
        present[index] = vector.present[rows].any(axis=0)
        values[index] = np.where(vector.present[rows], vector.values[rows], 0.0).sum(axis=0)
        if len(rows) == 1:
            values[index] = vector.values[rows[0]]
    return Vector(list(groups), values, present, vector.ordered)


def relabelled(vector: Vector, change: Callable[[Labels], Labels] = without_name, *, strict: bool = False) -> Vector:
    """Every label set changed.

    :param strict: two series that come to have the same labels are an error even where their steps differ.
    :raises QueryError: series come to have the same labels at one step.
    """
    out = Vector([change(labels) for labels in vector.labels], vector.values, vector.present, vector.ordered)
    if strict:
        out = out.compact()
        if len(set(out.labels)) < len(out.labels):
            raise QueryError(SAME_LABELS)
        return out
    return merged(out)


def apply(vector: Vector, function: Callable[[Any], Any]) -> Vector:
    """A function of the values, with the metric names dropped."""
    with np.errstate(all="ignore"):
        values = np.asarray(function(vector.values), np.float64)
    return relabelled(Vector(vector.labels, values, vector.present, vector.ordered))
