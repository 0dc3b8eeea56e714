"""What was found by asking for the edges of the language; each once differed from Prometheus, or broke off."""

from __future__ import annotations

import numpy as np
import pytest
from metaflow_dialect_promql.evaluate import Evaluator
from metaflow_dialect_promql.samples import Samples
from metaflow_dialect_promql.span import Steps, needs
from metaflow_dialect_promql.syntax.parse import parse
from metaflow_dialect_promql.values import Vector

from metaflow_core.errors import QueryError, QuerySyntaxError

STEPS = Steps(600_000, 720_000, 60_000, 600_000, 720_000)
SERIES = {
    "empty": {},
    "one": {(("__name__", "one"), ("a", "x")): 1.0},
    "two": {(("__name__", "two"), ("a", "x")): 1.0, (("__name__", "two"), ("a", "y")): 2.0},
    "far": {(("__name__", "far"),): 5e12},
    "no": {(("__name__", "no"),): np.nan},
}  # fmt: skip


def answer(text: str) -> dict[tuple[tuple[str, str], ...], list[float]]:
    """Values by labels at three steps, over series with a sample each minute."""
    node = parse(text)
    times = np.arange(0, 720_001, 60_000)
    held = {}
    for need in needs(node, STEPS, 300_000, 60_000):
        rows = SERIES[need.selector.name]
        offsets = np.arange(len(rows) + 1) * len(times)
        values = np.repeat(np.array(list(rows.values()), float), len(times))
        held[id(need.selector)] = Samples(list(rows), offsets, np.tile(times, len(rows)), values)
    found = Evaluator(held, 300_000, 60_000, 1_000_000).value(node, STEPS)
    assert isinstance(found, Vector)
    assert found.values.shape[1] == STEPS.count
    return {
        labels: [float(v) if p else np.nan for v, p in zip(values, present, strict=True)]
        for labels, values, present in zip(found.labels, found.values, found.present, strict=True)
    }


@pytest.mark.parametrize("at", ["@ end()", "@ start() offset -1m", "@ 1e9", "@ -1", "@ -0x10 offset 1h"])
def test_absent_over_a_range_that_is_fixed(at: str) -> None:
    assert answer(f"absent_over_time(empty[1m] {at})") == {(): [1.0] * 3}
    assert answer(f"count_over_time(absent_over_time(empty[1m] {at})[2m:1m])") == {(): [2.0] * 3}


def test_times_before_1970() -> None:
    assert parse("x @ -1.5").at == -1500  # type: ignore[union-attr]
    assert parse("x[5m:1m] @ - 2").at == -2000  # type: ignore[union-attr]
    assert parse('{a="@ -1"}').alternatives[0][0].value == "@ -1"  # type: ignore[union-attr]
    for text in ("x @ # a remark\n -1", "x @ 1e15", "x @ 253402300800", "x @ -1e12"):
        with pytest.raises(QuerySyntaxError, match="parse error"):
            parse(text)


def test_a_side_without_samples_meets_nothing() -> None:
    assert answer("empty * on (b) group_left () two") == {}
    with pytest.raises(QueryError, match="found duplicate series"):
        answer("one * on (b) group_left () two")


def test_the_label_of_values_may_be_taken_away() -> None:
    assert answer('count_values without (a) ("a", two)') == {(): [2.0] * 3}
    assert answer('count_values without () ("__name__", one)') == {(("a", "x"),): [1.0] * 3}
    assert answer('count_values by (a) ("a", one)') == {(("a", "1"),): [1.0] * 3}


def test_factors_are_looked_at_where_there_are_samples() -> None:
    assert answer("holt_winters(empty[5m], 1, 0.5)") == {}
    assert np.isnan(answer("holt_winters(one[5m], NaN, 0.5)")[("a", "x"),]).all()
    with pytest.raises(QueryError, match="smoothing factor"):
        answer("holt_winters(one[5m], 1, 0.5)")


def test_a_subquery_without_steps_has_no_samples() -> None:
    assert answer("max_over_time(empty[30s:1h])") == {}


def test_dates_far_away_and_of_nothing() -> None:
    assert answer("year(far)") == {(): [160413.0] * 3}
    assert np.isnan(answer("hour(no)")[()]).all()
