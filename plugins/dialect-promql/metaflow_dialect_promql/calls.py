"""Functions of instant vectors and scalars."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_dialect_promql.functions import histogram
from metaflow_dialect_promql.functions.instant import CALENDAR, MATHS
from metaflow_dialect_promql.functions.labelling import label_join, label_replace
from metaflow_dialect_promql.labels import LABEL_NAME, make
from metaflow_dialect_promql.numbers import go_float
from metaflow_dialect_promql.span import Steps
from metaflow_dialect_promql.syntax.nodes import Node, String, bare
from metaflow_dialect_promql.values import Floats, Scalar, Value, Vector, apply, merged, relabelled

__all__ = ["call"]

# Functions of native histograms: of floats they give nothing.
_NATIVE_ONLY = frozenset({"histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"})


class _Values(Protocol):
    """What a function needs of the evaluator."""

    def vector(self, node: Node, steps: Steps) -> Vector: ...
    def scalar(self, node: Node, steps: Steps) -> Floats: ...
    def value(self, node: Node, steps: Steps) -> Value: ...


def _text(node: Node) -> str:
    node = bare(node)
    if not isinstance(node, String):
        raise QueryError("expected a string literal")
    return node.value


def call(name: str, args: tuple[Node, ...], steps: Steps, values: _Values) -> Value:
    """A function call at all steps.

    :raises QueryError: an argument is wrong. :raises UnsupportedQuery: the function is not offered.
    """
    if name in MATHS:
        return apply(values.vector(args[0], steps), MATHS[name])
    if name in CALENDAR:
        if not args:
            moments = (steps.times / 1e3)[None, :]
            return Vector([()], CALENDAR[name](moments), np.ones(moments.shape, np.bool_))
        return apply(values.vector(args[0], steps), CALENDAR[name])
    if name in _NATIVE_ONLY:
        values.vector(args[0], steps)
        return Vector.empty(steps.count)
    match name:
        case "time":
            return Scalar(steps.times / 1e3)
        case "pi":
            return Scalar(np.full(steps.count, np.pi))
        case "start" | "end" | "range" | "step":
            numbers = {"start": steps.first, "end": steps.last, "range": steps.last - steps.first, "step": steps.step}
            return Scalar(np.full(steps.count, numbers[name] / 1e3))
        case "max_of" | "min_of":
            sides = [values.scalar(arg, steps) for arg in args]
            return Scalar((np.fmax if name == "max_of" else np.fmin)(sides[0], sides[1]))
        case "vector":
            numbers_ = values.scalar(args[0], steps)
            return Vector([()], numbers_[None, :], np.ones((1, steps.count), np.bool_))
        case "scalar":
            return _scalar(values.vector(args[0], steps))
        case "timestamp":
            found = values.vector(args[0], steps)
            moments = np.broadcast_to(steps.times / 1e3, found.values.shape)
            return relabelled(Vector(found.labels, moments, found.present))
        case "sort" | "sort_desc":
            return _sorted(values.vector(args[0], steps), name == "sort_desc")
        case "sort_by_label" | "sort_by_label_desc":
            names = [_text(arg) for arg in args[1:]]
            return _by_label(values.vector(args[0], steps), names, name.endswith("desc"))
        case "clamp" | "clamp_min" | "clamp_max":
            return _clamped(name, args, steps, values)
        case "round":
            inverse = 1.0 / values.scalar(args[1], steps) if len(args) > 1 else np.ones(1)
            return apply(values.vector(args[0], steps), lambda v: np.floor(v * inverse + 0.5) / inverse)
        case "histogram_quantile":
            return merged(histogram.quantile(values.scalar(args[0], steps), values.vector(args[1], steps)))
        case "histogram_quantiles":
            return _quantiles(args, steps, values)
        case "histogram_fraction":
            low, high = values.scalar(args[0], steps), values.scalar(args[1], steps)
            return merged(histogram.fraction(low, high, values.vector(args[2], steps)))
        case "label_replace":
            texts = [_text(arg) for arg in args[1:]]
            return label_replace(values.vector(args[0], steps), *texts)
        case "label_join":
            texts = [_text(arg) for arg in args[1:]]
            return label_join(values.vector(args[0], steps), texts[0], texts[1], texts[2:])
    raise UnsupportedQuery(f"the function {name}() is not supported")


def _scalar(vector: Vector) -> Scalar:
    one = vector.present.sum(axis=0) == 1
    total = np.where(vector.present, vector.values, 0.0).sum(axis=0)
    return Scalar(np.where(one, total, np.nan))


def _sorted(vector: Vector, descending: bool) -> Vector:
    """By value at the last step, NaN last; only an instant query shows it."""
    keys = vector.values[:, -1] if len(vector.labels) else np.empty(0)
    keys = -keys if descending else keys
    found = vector.take(np.lexsort((keys, np.isnan(keys)))) if len(keys) else vector
    return Vector(found.labels, found.values, found.present, ordered=True)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``a10`` after ``a9``."""
    import re

    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", text)]


def _by_label(vector: Vector, names: list[str], descending: bool) -> Vector:
    wrong = next((name for name in names if not LABEL_NAME.match(name)), None)
    if wrong is not None:
        raise QueryError(f"invalid label name in sort_by_label(): {wrong}")
    sets = [dict(labels) for labels in vector.labels]
    order = sorted(
        range(len(sets)),
        key=lambda row: ([_natural(sets[row].get(name, "")) for name in names], vector.labels[row]),
        reverse=descending,
    )
    found = vector.take(order)
    return Vector(found.labels, found.values, found.present, ordered=True)


def _clamped(name: str, args: tuple[Node, ...], steps: Steps, values: _Values) -> Vector:
    vector = values.vector(args[0], steps)
    low = values.scalar(args[1], steps) if name != "clamp_max" else np.full(steps.count, -np.inf)
    high = values.scalar(args[-1], steps) if name != "clamp_min" else np.full(steps.count, np.inf)
    found = apply(vector, lambda v: np.maximum(low, np.minimum(high, v)))
    # The wrong way round there is nothing between.
    return Vector(found.labels, found.values, found.present & ~(low > high)).compact()


def _quantiles(args: tuple[Node, ...], steps: Steps, values: _Values) -> Vector:
    vector, label = values.vector(args[0], steps), _text(args[1])
    parts = []
    for arg in args[2:]:
        levels = values.scalar(arg, steps)
        found = histogram.quantile(levels, vector)
        value = go_float(float(levels[0]), exponents=False)
        parts.append(Vector([make({**dict(each), label: value}) for each in found.labels], found.values, found.present))
    return merged(
        Vector(
            [labels for part in parts for labels in part.labels],
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.present for part in parts]),
        )
    )
