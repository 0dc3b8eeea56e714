"""Bad input: loops, repetitions, ports used again, huge traces, clocks that jump."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from metaflow_storage_memory.storage import MemoryStorage
from metaflow_tracing.assembly.assemble import assemble, assemble_all
from metaflow_tracing.gather.limits import Limits
from metaflow_tracing.tracer import Tracer
from synth import BASE_US, World, rows_of, spans

from metaflow_core.model.catalog import load_catalog

Fill = Callable[[list[dict[str, Any]]], None]


def app_span(number: int, parent: int, start: int = 0, length: int = 1000, trace: str = "t") -> dict[str, Any]:
    return {
        "type": 2, "signal_source": 4, "observation_point": "app", "trace_id": trace, "span_id": f"{number:016x}", "parent_span_id": f"{parent:016x}",
        "start_time": BASE_US + start, "end_time": BASE_US + start + length, "endpoint": f"/{number}", "app_service": "a", "flow_id": number,
        "is_ipv4": True,
    }  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_loops_in_parent_ids(rules: dict[str, Any], size: int) -> None:
    """Spans that name each other in a ring: the ring is opened once, and that is told."""
    rows = [app_span(number + 1, (number + 1) % size + 1, start=number) for number in range(size)]
    trace = assemble(spans(rows), rules)
    assert len(trace.nodes) == size
    assert len(trace.roots) == 1
    missing = trace.nodes[trace.roots[0]].missing
    assert missing is not None
    if size > 1:
        assert "loop" in missing.reason


def test_the_same_rows_twice(rules: dict[str, Any]) -> None:
    world = World(2)
    rows = rows_of(world, world.tree(5), threads=True)
    trace = assemble(spans([*rows, *rows]), rules)
    assert len(trace.nodes) == len(rows)
    assert any("twice" in note for note in trace.notes)


def test_a_port_used_again(rules: dict[str, Any]) -> None:
    """The same ports and even the same sequence numbers, ten minutes later: other messages."""
    world = World(2)
    rows = rows_of(world, world.tree(3), threads=True)
    later = [
        {
            **row,
            "start_time": row["start_time"] + 600_000_000,
            "end_time": row["end_time"] + 600_000_000,
            "flow_id": row["flow_id"] + 10**6,
        }
        for row in rows
    ]
    for row in later:
        for name in ("syscall_trace_id_request", "syscall_trace_id_response"):
            row[name] = row.get(name, 0) and row[name] + 10**9
    traces = assemble_all(spans([*rows, *later]), rules)
    assert len(traces) == 2
    assert all(len(trace.nodes) == len(rows) for trace in traces)


def test_a_deep_chain(rules: dict[str, Any]) -> None:
    """As deep as it is long: no recursion anywhere."""
    rows = [app_span(number, number - 1, start=number, length=100_000 - 2 * number) for number in range(1, 5001)]
    rows[0]["parent_span_id"] = ""
    random.Random(1).shuffle(rows)
    trace = assemble(spans(rows), rules)
    assert len(trace.roots) == 1
    assert max(node.depth for node in trace.nodes) == 4999
    assert sum(node.is_critical for node in trace.nodes) == 5000


@pytest.mark.parametrize("jump_s", [5, -5])
def test_clocks_that_jump(rules: dict[str, Any], jump_s: int) -> None:
    """Half way the clocks of the hosts jump, each by other seconds. Ahead: the trees come back, and it is told. Back, so that the same
    times come twice: links may be missing, none is wrong."""
    world = World(4, hosts=4, clock_error_us=10_000)
    rows: list[dict[str, Any]] = []
    above: dict[str, str] = {}
    for number in range(10):
        if number == 5:
            world.offsets = [offset - 1_000_000 * jump_s * host for host, offset in enumerate(world.offsets)]
        top = world.tree(4, start=number * 2_000_000)
        above |= {call.name: call.parent.name for call in top.walk() if call.parent}
        rows += rows_of(world, top, b3=f"{number + 1:032x}")
    traces = assemble_all(spans(rows), rules)
    assert len(traces) == 10
    assert any("jumped" in note for trace in traces for note in trace.notes)
    for trace in traces:
        assert jump_s < 0 or len(trace.roots) == 1
        for node in trace.nodes:
            if node.parent is not None and node.edge is not None and node.edge.relation != "same":
                assert above[node.span["endpoint"]] == trace.nodes[node.parent].span["endpoint"]


def test_one_number_of_two_requests_is_refused(rules: dict[str, Any]) -> None:
    """A thread that served two requests at once and was not noticed: its number fits both, so it proves nothing."""
    world = World(6)
    top = world.tree(2)
    rows = rows_of(world, top, threads=True, places=("c-p", "s-p"))
    rival = next(dict(row) for row in rows if row["observation_point"] == "s-p" and row["endpoint"] == top.name)
    rival |= {
        "flow_id": 999_999,
        "client_port": 5,
        "req_tcp_seq": 77,
        "resp_tcp_seq": 78,
        "start_time": rival["start_time"] - 10,
    }
    traces = assemble_all(spans([*rows, rival]), rules)
    child = next(
        node
        for trace in traces
        for node in trace.nodes
        if node.span["endpoint"] == top.children[0].name and node.span.point == "c-p"
    )
    assert child.parent is None
    assert child.missing is not None
    assert "2 fit equally well" in child.missing.reason
    assert child.missing.candidate is not None


async def test_a_huge_trace_is_cut_and_says_so(storage: MemoryStorage, fill: Fill, rules: dict[str, Any]) -> None:
    rows = [app_span(number, number // 10, start=number, length=100_000 - number) for number in range(1, 3001)]
    fill(rows)
    whole = await Tracer(load_catalog(), rules, Limits(max_rows=5000)).trace(storage, "t")
    assert whole is not None
    assert len(whole.trace.nodes) == 3000
    assert whole.plans <= 6
    cut = await Tracer(load_catalog(), rules, Limits(max_rows=500)).trace(storage, "t")
    assert cut is not None
    assert len(cut.trace.nodes) == 500
    assert any("500 rows" in note for note in cut.trace.notes)


async def test_related_rows_of_other_traces_stay_out(storage: MemoryStorage, fill: Fill, rules: dict[str, Any]) -> None:
    """Numbers that agree by chance, on another host or another connection, bring nothing in."""
    world = World(8)
    top = world.tree(4)
    rows = rows_of(world, top, threads=True, b3="a" * 32)
    chance = [
        {
            **row,
            "flow_id": row["flow_id"] + 10**6,
            "client_port": 9,
            "agent_id": 77,
            "trace_id": "",
            "span_id": "",
            "parent_span_id": "",
            "endpoint": "/x",
            "request_resource": "/x",
        }
        for row in rows
    ]
    fill([*rows, *chance])
    found = await Tracer(load_catalog(), rules, Limits()).trace(storage, "a" * 32)
    assert found is not None
    assert len(found.trace.nodes) == len(rows)


def message(number: int, point: str, start: int, length: int, **more: Any) -> dict[str, Any]:
    """A row of a process that was asked (s-p) or that asked (c-p)."""
    return {
        "type": 2, "signal_source": 3, "observation_point": point, "start_time": BASE_US + start, "end_time": BASE_US + start + length,
        "flow_id": number, "endpoint": f"/{number}", "is_ipv4": True, "ip4_0": 0x7F000001, "ip4_1": 0x7F000001, "client_port": 30_000 + number,
        "server_port": 80 + number, "l7_protocol": 20, "protocol": 6, "agent_id": 1, **more,
    }  # fmt: skip


def test_a_call_between_two_messages_of_a_stream_tells_why_it_is_not_linked(rules: dict[str, Any]) -> None:
    """The thread is known, but not that it worked on nothing else: no edge, and the reason names both."""
    stream = message(
        1,
        "s-p",
        0,
        10_000,
        process_id_1=7,
        syscall_thread_0=3,
        syscall_thread_1=9,
        syscall_trace_id_request=100,
        syscall_trace_id_response=101,
    )
    call = message(
        2, "c-p", 2_000, 1_000, process_id_0=7, syscall_thread_0=9, syscall_thread_1=9, syscall_trace_id_response=102
    )
    last = message(
        3, "c-p", 6_000, 1_000, process_id_0=7, syscall_thread_0=9, syscall_thread_1=9, syscall_trace_id_response=101
    )
    found = {
        node.span["endpoint"]: node
        for trace in assemble_all(spans([stream, call, last]), rules)
        for node in trace.nodes
    }
    assert found["/3"].edge is not None
    missing = found["/2"].missing
    assert found["/2"].edge is None
    assert missing is not None
    assert "wrote the answer" in missing.reason
    assert ("syscall_thread_1", "syscall_thread_0", "9") in {
        (each.first, each.second, each.value) for each in missing.matched
    }


def test_what_has_nothing_in_common_is_no_missing_cause(rules: dict[str, Any]) -> None:
    """A client's own first call beside other programs on one loopback."""
    other = message(1, "s-p", 0, 10_000, process_id_1=7, syscall_thread_0=3, syscall_thread_1=3)
    call = message(2, "c-p", 2_000, 1_000, process_id_0=8, syscall_thread_0=9, syscall_thread_1=9)
    found = {node.span["endpoint"]: node for trace in assemble_all(spans([other, call]), rules) for node in trace.nodes}
    missing = found["/2"].missing
    assert missing is not None
    assert "carries no number" in missing.reason
    assert not missing.matched
