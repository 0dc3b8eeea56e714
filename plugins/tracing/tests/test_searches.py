"""Lists of traces: found part by part, each with all of its rows, whatever lies between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from metaflow_storage_memory.storage import MemoryStorage
from metaflow_tracing.gather.limits import Limits
from metaflow_tracing.gather.parts import statements, stretches
from metaflow_tracing.tracer import Tracer
from synth import BASE_US, World, rows_of

from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Compare, Expr, In
from metaflow_core.query import TimeRange

Fill = Callable[[list[dict[str, Any]]], None]
EVER = TimeRange(0, 2**62)
SECOND = 1_000_000


def many_traces(count: int, apart_us: int) -> list[list[dict[str, Any]]]:
    """Rows of traces that hang together by threads and sequence numbers only, one after the other."""
    found = []
    for number in range(count):
        world = World(100 + number)
        rows = rows_of(world, world.tree(4), threads=True)
        for row in rows:
            row |= {
                "start_time": row["start_time"] + number * apart_us,
                "end_time": row["end_time"] + number * apart_us,
                "flow_id": row["flow_id"] + number * 10**6,
                "agent_id": number + 1,
            }
        found.append(rows)
    return found


@pytest.mark.parametrize("apart_us", [40 * SECOND, 3 * SECOND, SECOND, SECOND // 20])
async def test_the_latest_traces_are_whole(
    storage: MemoryStorage, fill: Fill, rules: dict[str, Any], apart_us: int
) -> None:
    made = many_traces(12, apart_us)
    fill([row for rows in made for row in rows])
    tracer = Tracer(load_catalog(), rules, Limits())
    found = await tracer.traces(storage, f"endpoint = '{made[0][0]['endpoint']}'", EVER, 5)
    latest = [rows for rows in made[::-1] if any(row["endpoint"] == made[0][0]["endpoint"] for row in rows)][:5]
    assert [len(each.trace.nodes) for each in found] == [len(rows) for rows in latest]
    assert [each.trace.start_us for each in found] == [min(row["start_time"] for row in rows) for rows in latest]


async def test_a_trace_that_lasts_longer_than_a_stretch_is_shown_once(
    storage: MemoryStorage, fill: Fill, rules: dict[str, Any]
) -> None:
    rows = [
        {
            "type": 2, "signal_source": 4, "observation_point": "app", "trace_id": "a" * 32, "span_id": f"{number:016x}",
            "parent_span_id": f"{number and 1:016x}", "start_time": BASE_US + number * 4 * SECOND, "flow_id": number + 1, "is_ipv4": True,
            "end_time": BASE_US + number * 4 * SECOND + 1000, "endpoint": "/slow", "app_service": "a",
        }
        for number in range(8)
    ]  # fmt: skip
    fill(rows)
    (found,) = await Tracer(load_catalog(), rules, Limits()).traces(storage, "endpoint = '/slow'", EVER, 20)
    assert len(found.trace.nodes) == 8


def test_stretches_end_at_gaps_and_before_they_grow_too_long() -> None:
    ends = [0, 1, 2, 30, 31, *(100 + 0.5 * step for step in range(40))]
    parts = [
        [row["end_time"] / SECOND for row in part] for part in stretches([{"end_time": end * SECOND} for end in ends])
    ]
    assert [end for part in parts for end in part] == sorted(ends, reverse=True)
    assert [2, 1, 0] in parts
    assert [31, 30] in parts
    assert all(part[0] - part[-1] <= 5 for part in parts)
    assert [len(part) for part in stretches([{"end_time": 7}] * 250)] == [100, 100, 50]
    assert list(stretches([])) == []


def test_no_statement_is_longer_than_storages_take() -> None:
    values = {
        "trace_id": [f"{number:032x}" for number in range(9_000)],
        "span_id": ["s"],
        "flow_id": [2**63 + number for number in range(7_000)],
    }
    found = statements(values)
    assert len(found) > 3
    asked: dict[str, list[Any]] = {}
    for predicates in found:
        for column, listed in map(_listed, predicates):
            asked.setdefault(column, []).extend(listed)
        assert sum(len(str(value)) + 4 for each in predicates for value in _listed(each)[1]) <= 120_000
    assert asked == values
    assert statements({"trace_id": []}) == []


def _listed(predicate: Expr) -> tuple[str, list[Any]]:
    if isinstance(predicate, Compare):
        return predicate.left.name, [predicate.right.value]  # type: ignore[attr-defined,union-attr]
    assert isinstance(predicate, In)
    return predicate.operand.name, [item.value for item in predicate.items]  # type: ignore[attr-defined]
