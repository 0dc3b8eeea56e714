"""Answers as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metaflow_core.errors import QueryError
from metaflow_dialect_promql.errors import TooManySamples
from metaflow_dialect_promql.labels import Labels
from metaflow_dialect_promql.samples import Windows
from metaflow_dialect_promql.span import Steps
from metaflow_dialect_promql.values import Floats, Ints, Scalar, Text, Value, Vector

__all__ = ["Answer", "matrix_table", "sample_table", "series_table"]

_LABELS = pa.map_(pa.utf8(), pa.utf8())
_MOMENT = pa.timestamp("ms", "UTC")


@dataclass(frozen=True, slots=True)
class Answer:
    """A value, the steps it was computed at, and what it is: ``matrix``, ``vector``, ``scalar`` or ``string``."""

    value: Value
    steps: Steps
    kind: str


def _as_vector(value: Value, kind: str) -> Vector:
    if isinstance(value, Scalar):
        return Vector([()], value.values[None, :], np.ones((1, len(value.values)), np.bool_))
    if isinstance(value, Text):
        raise QueryError("a text has no series")
    if value.ordered and kind == "vector":
        return value
    return value.take(sorted(range(len(value.labels)), key=lambda row: value.labels[row]))


def matrix_table(answer: Answer, shape: str, max_rows: int) -> pa.Table:
    """The table of an answer.

    :raises TooManySamples: it has more than ``max_rows`` rows.
    """
    if isinstance(answer.value, Text):
        return pa.table({"value": [answer.value.value]})
    vector = _as_vector(answer.value, answer.kind).compact()
    if len(vector.labels) > max_rows:
        raise TooManySamples(f"the answer has {len(vector.labels)} series, at most {max_rows} are allowed")
    times = np.broadcast_to(answer.steps.times, vector.present.shape)
    offsets = np.concatenate(([0], np.cumsum(vector.present.sum(axis=1))))
    return _table(vector.labels, offsets, times[vector.present], vector.values[vector.present], shape, max_rows)


def sample_table(windows: Windows, steps: Steps, shape: str) -> pa.Table:
    """The samples in the only window of each series."""
    samples = windows.samples
    del steps
    rows = [row for row in range(len(samples.labels)) if windows.counts[row, 0]]
    pieces = [np.arange(windows.low[row, 0], windows.high[row, 0]) for row in rows]
    index = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    offsets = np.concatenate(([0], np.cumsum([len(piece) for piece in pieces]))).astype(np.int64)
    return _table(
        [samples.labels[row] for row in rows], offsets, samples.times[index], samples.values[index], shape, 1 << 62
    )


def _table(labels: Sequence[Labels], offsets: Ints, times: Ints, values: Floats, shape: str, max_rows: int) -> pa.Table:
    moments = pa.array(times, pa.int64()).cast(_MOMENT)
    if shape == "series":
        bounds = pa.array(offsets, pa.int32())
        return pa.table(
            {
                "labels": _label_maps(labels),
                "times": pa.ListArray.from_arrays(bounds, moments),
                "values": pa.ListArray.from_arrays(bounds, pa.array(values, pa.float64())),
            }
        )
    if len(values) > max_rows:
        raise TooManySamples(f"the answer has {len(values)} rows, at most {max_rows} are allowed")
    names = sorted({name for each in labels for name, _ in each} - {"time", "value"})
    series = np.repeat(np.arange(len(labels)), np.diff(offsets))
    columns: dict[str, pa.Array] = {"time": moments}
    for name in names:
        texts = pa.array([dict(each).get(name, "") for each in labels], pa.utf8())
        columns[name] = texts.take(pa.array(series))
    columns["value"] = pa.array(values, pa.float64())
    return pa.table(columns)


def series_table(labels: Sequence[Labels]) -> pa.Table:
    """Label sets alone."""
    return pa.table({"labels": _label_maps(labels)})


def _label_maps(labels: Sequence[Labels]) -> pa.Array:
    return pa.array([list(each) for each in labels], _LABELS)
