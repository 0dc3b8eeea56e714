"""Whatever rows say of themselves: each stands in the answer once, nothing runs in circles, and what is guessed is never called certain."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_tracing.answer.document import trace_document
from metaflow_tracing.answer.names import Vocabulary
from metaflow_tracing.answer.otlp import otlp
from metaflow_tracing.assembly.assemble import assemble, assemble_all
from metaflow_tracing.rules.load import load_rules
from synth import BASE_US, spans

from metaflow_core.model.catalog import load_catalog

RULES = load_rules()
WORDS = Vocabulary.of(load_catalog())
# few values each, so that they meet in every wrong way
_IDS = st.sampled_from(["", "a" * 16, "b" * 16, "c" * 16])
_NUMBERS = st.integers(0, 3)
# clocks that jump: microseconds, minutes, and before 1970
_TIMES = st.one_of(st.integers(0, 2000), st.integers(-600_000_000, 600_000_000), st.just(-BASE_US - 5))

ROW = st.fixed_dictionaries(
    {
        "observation_point": st.sampled_from(["c-p", "c", "s", "s-p", "c-app", "s-app", "app", "rest"]),
        "signal_source": st.sampled_from([0, 3, 4]),
        "type": st.integers(0, 2),
        "agent_id": _NUMBERS,
        "flow_id": _NUMBERS,
        "protocol": st.sampled_from([6, 17]),
        "is_ipv4": st.just(True),
        "ip4_0": st.sampled_from([0x0A000001, 0x0A000002, 0x7F000001]),
        "ip4_1": st.sampled_from([0x0A000001, 0x0A000002, 0x7F000001]),
        "client_port": _NUMBERS,
        "server_port": _NUMBERS,
        "req_tcp_seq": _NUMBERS,
        "resp_tcp_seq": _NUMBERS,
        "process_id_0": _NUMBERS,
        "process_id_1": _NUMBERS,
        "syscall_trace_id_request": _NUMBERS,
        "syscall_trace_id_response": _NUMBERS,
        "trace_id": st.sampled_from(["", "t1", "t2"]),
        "span_id": _IDS,
        "parent_span_id": _IDS,
        "x_request_id_0": st.sampled_from(["", "r1"]),
        "x_request_id_1": st.sampled_from(["", "r1", "r2"]),
        "app_service": st.sampled_from(["", "shop", "stock"]),
        "start_time": _TIMES,
        "end_time": _TIMES,
    }
)


def _rows(given_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, "start_time": BASE_US + row["start_time"], "end_time": BASE_US + row["end_time"]} for row in given_rows
    ]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, max_size=14))
def test_any_rows_become_trees(rows: list[dict[str, Any]]) -> None:
    made = _rows(rows)
    trace = assemble(spans(made), RULES)
    assert len(trace.nodes) <= len(made)
    assert len(trace.nodes) >= len({repr(sorted(row.items())) for row in made}) - (len(made) - len(trace.nodes))
    for node in trace.nodes:
        # depth first: what is above stands before, so there is no circle
        assert node.parent is None or node.parent < node.index
        assert (node.edge is None) == (node.parent is None)
        assert node.edge is None or 0 < node.edge.confidence <= 1
        assert 0 <= node.self_us <= node.span.duration_us
        if node.edge is not None and node.edge.confidence == 1:
            assert node.edge.matched
    listed = assemble_all(spans(made), RULES)
    assert sum(len(each.nodes) for each in listed) == len(trace.nodes)
    document = trace_document(trace, WORDS)
    assert len(document["spans"]) == len(trace.nodes)
    assert sum(len(each.scope_spans[0].spans) for each in otlp(trace, WORDS, "t1").resource_spans) == len(trace.nodes)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_the_same_rows_again_change_nothing(rows: list[dict[str, Any]]) -> None:
    made = _rows(rows)
    once, twice = assemble(spans(made), RULES), assemble(spans([*made, *made]), RULES)
    assert [node.parent for node in once.nodes] == [node.parent for node in twice.nodes]
