"""Evaluates a tree over samples that were read already: pure computation, no input or output."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.aggregate import aggregate, count_values
from metaflow_dialect_promql.binary import SETS, binary
from metaflow_dialect_promql.calls import call
from metaflow_dialect_promql.errors import QueryTimeout, TooManySamples
from metaflow_dialect_promql.functions.overtime import OVER_TIME
from metaflow_dialect_promql.labels import Labels, make, without_name
from metaflow_dialect_promql.samples import Samples, Windows, stale
from metaflow_dialect_promql.span import Steps
from metaflow_dialect_promql.syntax.nodes import (
    Aggregation,
    Binary,
    Call,
    MatrixSelector,
    Negation,
    Node,
    Number,
    Parens,
    Selector,
    String,
    Subquery,
    bare,
)
from metaflow_dialect_promql.values import Floats, Scalar, Text, Value, Vector, relabelled

__all__ = ["Evaluator"]


@dataclass(slots=True)
class Evaluator:
    """One query's evaluation.

    :ivar samples: what each selector of the tree selects (by identity of the node). :ivar lookback: ms that a value stays valid.
    :ivar default_step: ms between the steps of a subquery that names none. :ivar max_samples: bound of what is held at once.
    :ivar deadline: ``time.monotonic`` when it is over. :ivar infos: remarks about what looks like a mistake.
    """

    samples: Mapping[int, Samples]
    lookback: int
    default_step: int
    max_samples: int
    deadline: float = float("inf")
    infos: dict[str, None] = field(default_factory=dict)

    def value(self, node: Node, steps: Steps) -> Value:
        """What an expression is worth at the steps.

        :raises QueryError: it cannot be computed. :raises QueryTimeout: the time is over.
        """
        if time.monotonic() > self.deadline:
            raise QueryTimeout("query timed out in expression evaluation")
        count = steps.count
        match node:
            case Number(value):
                return Scalar(np.full(count, value))
            case String(value):
                return Text(value)
            case Parens(expr):
                return self.value(expr, steps)
            case Negation(expr):
                return self._negated(self.value(expr, steps))
            case Selector():
                return self._instant(node, steps)
            case Aggregation():
                return self._aggregation(node, steps)
            case Binary():
                return self._binary(node, steps)
            case Call(name, args) if name in OVER_TIME:
                return self._over_time(name, args, steps)
            case Call("absent_over_time", args):
                windows, _ = self.windows(args[0], steps)
                return absent(args[0], np.broadcast_to((windows.counts > 0).any(axis=0), count))
            case Call("absent", args):
                return absent(args[0], np.asarray(self.vector(args[0], steps).present.any(axis=0)))
            case Call("timestamp", args) if isinstance(bare(args[0]), Selector):
                selector = bare(args[0])
                assert isinstance(selector, Selector)
                return relabelled(self._instant(selector, steps, times=True))
            case Call(name, args):
                return call(name, args, steps, self)
            case MatrixSelector() | Subquery():
                raise QueryError("a range vector stands where a single value is expected")

    def vector(self, node: Node, steps: Steps) -> Vector:
        """An expression that gives series.

        :raises QueryError: it gives something else.
        """
        found = self.value(node, steps)
        if not isinstance(found, Vector):
            raise QueryError("expected an instant vector")
        return found

    def scalar(self, node: Node, steps: Steps) -> Floats:
        """An expression that gives one number a step.

        :raises QueryError: it gives something else.
        """
        found = self.value(node, steps)
        if not isinstance(found, Scalar):
            raise QueryError("expected a scalar")
        return found.values

    def _negated(self, value: Value) -> Value:
        if isinstance(value, Scalar):
            return Scalar(-value.values)
        assert isinstance(value, Vector)
        return relabelled(Vector(value.labels, -value.values, value.present), strict=True)

    def _instant(self, node: Selector, steps: Steps, *, times: bool = False) -> Vector:
        fixed = steps.fixed(node.at)
        samples = self.samples[id(node)]
        width = self.lookback if samples.lookback_ms is None else samples.lookback_ms
        windows = samples.windows(fixed.times - node.offset_ms, width)
        if not len(samples.times):
            return Vector.empty(steps.count)
        newest = np.clip(windows.high - 1, 0, len(samples.times) - 1)
        values = samples.values[newest]
        present = (windows.counts > 0) & ~stale(values)
        if times:
            values = samples.times[newest] / 1e3
        self.check(present.size)
        return _spread(Vector(samples.labels, values, present), steps.count).compact()

    def check(self, count: int) -> None:
        """Stops what would hold too much.

        :raises TooManySamples: it would.
        """
        if count > self.max_samples:
            raise TooManySamples("query processing would load too many samples into memory in query execution")

    def windows(self, node: Node, steps: Steps) -> tuple[Windows, bool]:
        """The windows of a range vector, and whether they are the same at every step (then they are given once).

        :raises QueryError: it is no range vector.
        """
        node = bare(node)
        if isinstance(node, MatrixSelector):
            selector = node.selector
            fixed = steps.fixed(selector.at)
            samples = self.samples[id(selector)].without_stale()
            windows = samples.windows(fixed.times - selector.offset_ms, node.range_ms)
            return windows, selector.at is not None
        if not isinstance(node, Subquery):
            raise QueryError("expected a range vector")
        fixed = steps.fixed(node.at)
        inner = steps.inside(node, self.default_step)
        self.check(inner.count)
        samples = self._as_samples(self.value(node.expr, inner), inner)
        return samples.windows(fixed.times - node.offset_ms, node.range_ms), node.at is not None

    def _as_samples(self, value: Value, steps: Steps) -> Samples:
        if isinstance(value, Scalar):
            times = steps.times
            return Samples([()], np.array([0, len(times)]), times, value.values)
        if not isinstance(value, Vector):
            raise QueryError("a subquery is of numbers")
        offsets = np.concatenate(([0], np.cumsum(value.present.sum(axis=1))))
        times = np.broadcast_to(steps.times, value.present.shape)[value.present]
        return Samples(value.labels, offsets, times, value.values[value.present])

    def _over_time(self, name: str, args: tuple[Node, ...], steps: Steps) -> Vector:
        function = OVER_TIME[name]
        at = next(index for index, arg in enumerate(args) if isinstance(bare(arg), (MatrixSelector, Subquery)))
        windows, fixed = self.windows(args[at], steps)
        numbers = [self.scalar(arg, steps) for index, arg in enumerate(args) if index != at]
        self.check(windows.counts.size)
        if fixed:
            # The numbers and the time may differ from step to step although the window does not.
            windows = _repeated(windows, steps.count)
        with np.errstate(all="ignore"):
            values = function.run(windows, steps.times.astype(np.float64), numbers)
        found = Vector(windows.samples.labels, values, windows.counts >= function.least)
        self._remark(name, found)
        return relabelled(found, (lambda each: each) if function.keeps_name else without_name, strict=True)

    def _remark(self, name: str, found: Vector) -> None:
        if name not in ("rate", "increase", "irate"):
            return
        endings = ("_total", "_sum", "_count", "_bucket")
        for metric in sorted({dict(labels).get("__name__", "") for labels in found.labels}):
            if metric and not metric.endswith(endings):
                self.infos.setdefault(
                    "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                    f'"{metric}"'
                )

    def _aggregation(self, node: Aggregation, steps: Steps) -> Vector:
        vector = self.vector(node.expr, steps)
        if node.op == "count_values":
            label = self.value(node.param, steps) if node.param is not None else None
            assert isinstance(label, Text)
            return count_values(vector, label.value, node.labels, node.without)
        param = self.scalar(node.param, steps) if node.param is not None else None
        if node.op == "quantile" and param is not None and ((param < 0) | (param > 1) | np.isnan(param)).any():
            self.infos.setdefault("PromQL warning: quantile value should be between 0 and 1")
        return aggregate(node.op, vector, node.labels, node.without, param)

    def _binary(self, node: Binary, steps: Steps) -> Value:
        left, right = self.value(node.left, steps), self.value(node.right, steps)
        if isinstance(left, Text) or isinstance(right, Text):
            raise QueryError("binary expression must contain only scalar and instant vector types")
        if node.op in SETS and not (isinstance(left, Vector) and isinstance(right, Vector)):
            raise QueryError("set operator not allowed in binary scalar expression")
        return binary(node, left, right)


def _spread(vector: Vector, count: int) -> Vector:
    """A vector of one step (fixed by ``@``) at all steps."""
    if vector.values.shape[1] == count:
        return vector
    shape = (len(vector.labels), count)
    return Vector(vector.labels, np.broadcast_to(vector.values, shape), np.broadcast_to(vector.present, shape))


def _repeated(windows: Windows, count: int) -> Windows:
    if windows.counts.shape[1] == count:
        return windows
    return Windows(
        windows.samples,
        np.repeat(windows.ends, count),
        windows.width_ms,
        np.repeat(windows.low, count, axis=1),
        np.repeat(windows.high, count, axis=1),
    )


def absent(node: Node, there: np.ndarray) -> Vector:
    """1 where nothing is there, labelled by what the selector asks for with ``=``."""
    node = bare(node)
    selector = node.selector if isinstance(node, MatrixSelector) else node
    labels: Labels = ()
    if isinstance(selector, Selector) and len(selector.alternatives) == 1:
        matchers = [each for each in selector.alternatives[0] if each.name != "__name__"]
        names = [each.name for each in matchers]
        # A label asked for twice, or in another way than by =, says nothing of the series that is not there.
        labels = make((each.name, each.value) for each in matchers if each.op == "=" and names.count(each.name) == 1)
    missing = ~there
    return Vector([labels], np.ones((1, len(missing))), missing[None, :]).compact()
