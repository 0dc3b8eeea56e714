"""Random call trees become rows; the trees come back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from metaflow_tracing.assembly.assemble import assemble, assemble_all
from metaflow_tracing.assembly.trace import Trace
from metaflow_tracing.rules.offer import RULES
from synth import BASE_US, PLACES, Call, World, rows_of, spans

OWN = {factory.type: factory.create(factory.config()) for factory in RULES}
EVIDENCE: list[dict[str, Any]] = [
    {"threads": True},
    {"b3": "a" * 32},
    {"w3c": "b" * 32, "apps": True},
    {"threads": True, "w3c": "c" * 32, "apps": True},
    {"request_id": "req-1"},
    {"threads": True, "places": ("c-p", "s-p")},
    {"b3": "d" * 32, "places": ("c", "s")},
]


def truth(*tops: Call) -> dict[str, str]:
    return {call.name: call.parent.name if call.parent else "" for top in tops for call in top.walk()}


def links(trace: Trace) -> tuple[int, list[tuple[str, str]]]:
    """How many links between calls there are, and each as (call, what is said to have caused it)."""
    found = []
    for node in trace.nodes:
        if node.parent is None or node.edge is None:
            continue
        mine, other = node.span["endpoint"], trace.nodes[node.parent].span["endpoint"]
        if mine != other:
            found.append((mine, other))
    return len(found), found


def judge(trace: Trace, true: dict[str, str]) -> tuple[int, list[tuple[str, str]]]:
    count, found = links(trace)
    return count, [(call, said) for call, said in found if true[call] != said]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    calls=st.integers(1, 30),
    how=st.sampled_from(EVIDENCE),
    error=st.sampled_from([0, 3_000, 3_000_000, 600_000_000]),
)
def test_the_tree_comes_back(seed: int, calls: int, how: dict[str, Any], error: int) -> None:
    """Every call stands below what caused it, whatever the evidence and however wrong the clocks."""
    world = World(seed, clock_error_us=error)
    top = world.tree(calls)
    rows = rows_of(world, top, **how)
    random.Random(seed).shuffle(rows)
    trace = assemble(spans(rows), OWN)
    count, wrong = judge(trace, truth(top))
    assert not wrong
    assert len(trace.nodes) == len(rows)
    assert len(trace.roots) == calls - count
    if "request_id" not in how:
        # a host that is met twice on one way leaves a request id without a single answer: that is a break, not a guess
        assert count == calls - 1


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), calls=st.integers(2, 25), how=st.sampled_from(EVIDENCE), lost=st.floats(0.05, 0.6))
# a call whose own application span is lost, beside one whose span is there
@example(seed=3, calls=3, how=EVIDENCE[3], lost=0.5625)
def test_missing_rows_make_no_wrong_links(seed: int, calls: int, how: dict[str, Any], lost: float) -> None:
    """What was not seen breaks a tree, and the break says why; it never links the wrong calls."""
    world = World(seed, clock_error_us=2_000)
    top = world.tree(calls)
    dice = random.Random(seed)
    rows = [row for row in rows_of(world, top, **how) if dice.random() > lost]
    trace = assemble(spans(rows), OWN)
    true = truth(top)
    _, found = links(trace)
    for call, said in found:
        ancestors = set()
        at = true[call]
        while at:
            ancestors.add(at)
            at = true[at]
        # a call whose sender was not seen at all may hang below the sender's own cause
        assert said in ancestors
    for root in trace.roots:
        missing = trace.nodes[root].missing
        assert missing is not None
        assert missing.reason


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), how=st.sampled_from(EVIDENCE), parallel=st.booleans())
def test_many_traces_at_once(seed: int, how: dict[str, Any], parallel: bool) -> None:
    """Traces that happen at the same time on the same hosts do not mix."""
    world = World(seed, hosts=4, clock_error_us=1_000)
    tops = [world.tree(6, start=number * 1_500, parallel=parallel and "threads" not in how) for number in range(12)]
    rows = []
    for number, top in enumerate(tops):
        own = {name: f"{value}{number:02x}" if isinstance(value, str) else value for name, value in how.items()}
        rows += rows_of(world, top, **own)
    random.Random(seed).shuffle(rows)
    true = truth(*tops)
    traces = assemble_all(spans(rows), OWN)
    total = 0
    for trace in traces:
        count, wrong = judge(trace, true)
        assert not wrong
        total += count
    if "request_id" not in how:
        assert total == 12 * 5
        assert len(traces) == 12


def test_parallel_calls_without_ids_are_not_guessed(rules: dict[str, Any]) -> None:
    """An event loop: no thread number, no header. Nothing is linked, and each break says what would have fitted and why it was refused."""
    world = World(7, hosts=3)
    tops = [world.tree(4, start=number * 300, parallel=True) for number in range(20)]
    rows = [row for top in tops for row in rows_of(world, top)]
    traces = assemble_all(spans(rows), rules)
    assert all(links(trace)[0] == 0 for trace in traces)
    children = [
        trace
        for trace in traces
        if trace.nodes[0].span["endpoint"] in {c.name for t in tops for c in t.walk() if c.parent}
    ]
    assert children
    for trace in children:
        missing = trace.nodes[0].missing
        assert missing is not None
        assert missing.candidate is not None
        assert "guess" in missing.reason or "us " in missing.reason


@pytest.mark.parametrize("places", [PLACES, ("c", "s"), ("c-p", "s-p")])
def test_messages_keep_the_order_of_their_way(rules: dict[str, Any], places: tuple[str, ...]) -> None:
    """Network rows stand between those of the processes, from client to server."""
    world = World(1, clock_error_us=500_000)
    rows = rows_of(world, world.tree(8), threads=True, places=places)
    trace = assemble(spans(reversed(rows)), rules)
    by_hop: dict[int, list[str]] = {}
    for node in trace.nodes:
        by_hop.setdefault(node.hop, []).append(node.span.point)
    for points in by_hop.values():
        assert points == sorted(points, key=PLACES.index)


def test_a_handlers_span_stays_below_the_message_that_brought_it(rules: dict[str, Any]) -> None:
    """Also when it outlives the message, or a wrong clock says that it began before."""
    for shift, length in ((0, 1000), (10, 50_000), (-30_000, 500)):
        sent = {
            "type": 2, "signal_source": 4, "observation_point": "c-app", "trace_id": "t", "span_id": "a" * 16, "start_time": BASE_US,
            "end_time": BASE_US + 60_000, "app_service": "shop", "flow_id": 1, "is_ipv4": True,
        }  # fmt: skip
        wire = {
            "type": 2, "observation_point": "s", "trace_id": "t", "span_id": "a" * 16, "start_time": BASE_US + 20_000, "protocol": 6,
            "end_time": BASE_US + 22_000, "flow_id": 2, "is_ipv4": True, "ip4_0": 0x0A000001, "ip4_1": 0x0A000002, "server_port": 80,
        }  # fmt: skip
        handled = {
            **sent, "observation_point": "s-app", "span_id": "b" * 16, "parent_span_id": "a" * 16, "app_service": "stock", "flow_id": 3,
            "start_time": BASE_US + 20_000 + shift, "end_time": BASE_US + 20_000 + shift + length,
        }  # fmt: skip
        trace = assemble(spans([sent, wire, handled]), rules)
        assert [node.span.point for node in trace.nodes] == ["c-app", "s", "s-app"]
        assert [node.parent for node in trace.nodes] == [None, 0, 1]
