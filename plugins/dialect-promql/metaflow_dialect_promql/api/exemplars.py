"""Exemplars: kept as rows of ``prometheus.samples`` under the name ``__exemplar__``, the series' own name in ``__series__``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa

from metaflow_dialect_promql.labels import NAME
from metaflow_dialect_promql.numbers import go_float
from metaflow_dialect_promql.syntax.nodes import Matcher, Selector

__all__ = ["add_exemplars", "exemplar_selector"]

_PREFIX = "exemplar."


def exemplar_selector(selector: Selector) -> Selector:
    """What selects the exemplars of the series that a selector selects."""
    own = Matcher(NAME, "=", "__exemplar__")
    sets = tuple(
        (own, *(replace(each, name="__series__") if each.name == NAME else each for each in matchers))
        for matchers in selector.alternatives
    )
    return Selector("", sets)


def add_exemplars(found: dict[str, dict[str, Any]], table: pa.Table) -> None:
    """Adds the exemplars of an answer, by series."""
    for labels, times, values in zip(table["labels"].to_pylist(), table["times"], table["values"], strict=True):
        series = {NAME if name == "__series__" else name: value for name, value in labels if name != NAME}
        own = {name.removeprefix(_PREFIX): value for name, value in series.items() if name.startswith(_PREFIX)}
        series = {name: value for name, value in series.items() if not name.startswith(_PREFIX)}
        row = found.setdefault(json.dumps(series, sort_keys=True), {"seriesLabels": series, "exemplars": []})
        moments = times.values.cast(pa.int64()).to_pylist()
        for at, value in zip(moments, values.values.to_pylist(), strict=True):
            row["exemplars"].append({"labels": own, "value": go_float(value), "timestamp": at / 1000})
        row["exemplars"].sort(key=lambda each: each["timestamp"])
