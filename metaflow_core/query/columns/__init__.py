"""Expressions evaluated on whole Arrow columns: for storages without an engine of their own, and for conditions on batches.

>>> import pyarrow as pa
>>> from metaflow_core.model.expression import parse_expression
>>> frame = Frame(2, {"x": pa.array([1, 2])})
>>> evaluate(parse_expression("x * 10"), frame).to_pylist()
[10, 20]

This package imports pyarrow; :mod:`metaflow_core.query` does not import this package.
"""

from __future__ import annotations

from metaflow_core.query.columns.evaluate import evaluate, mask
from metaflow_core.query.columns.frame import Frame, plain, whole
from metaflow_core.query.columns.numbers import real

__all__ = ["Frame", "evaluate", "mask", "plain", "real", "whole"]
