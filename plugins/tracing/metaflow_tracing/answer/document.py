"""A trace as one JSON document: what ``/v1/trace``, ``mflow trace --json`` and the pages show. Its shape is stable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from metaflow_core.api import Match
from metaflow_tracing.answer.names import Names, Vocabulary, operation, span_kind
from metaflow_tracing.assembly.evidence import Break, Edge
from metaflow_tracing.assembly.trace import Node, Trace

__all__ = ["clock_document", "trace_document", "trace_summary"]

_LINKING = (
    "req_tcp_seq", "resp_tcp_seq", "syscall_trace_id_request", "syscall_trace_id_response", "syscall_thread_0", "syscall_thread_1",
    "trace_id", "span_id", "parent_span_id", "x_request_id_0", "x_request_id_1", "request_id",
)  # fmt: skip


def trace_document(trace: Trace, words: Vocabulary, *, plans: int = 0) -> dict[str, Any]:
    """Everything of a trace: spans depth first, with edges, breaks, services, clocks and notes."""
    names = Names(trace)
    firsts: dict[int, int] = {}
    for node in trace.nodes:
        firsts.setdefault(node.hop, node.index)
    return {
        **trace_summary(trace, words, names),
        "spans": [_span(trace, node, names, words, firsts) for node in trace.nodes],
        "services": _services(trace, names),
        "clocks": [clock_document(clock) for clock in trace.clocks],
        "notes": trace.notes,
        "plans": plans,
    }


def trace_summary(trace: Trace, words: Vocabulary, names: Names | None = None) -> dict[str, Any]:
    """What a list of traces shows of each."""
    names = names or Names(trace)
    root = trace.nodes[trace.roots[0]] if trace.roots else None
    return {
        "trace_ids": trace.trace_ids,
        "row_id": root.span.row_id if root else "",
        "start_us": trace.start_us,
        "end_us": trace.end_us,
        "duration_us": trace.end_us - trace.start_us,
        "root": operation(root.span) if root else "",
        "root_service": names.end(root, 1) if root else "",
        "protocol": words.protocol(root.span) if root else "",
        "span_count": len(trace.nodes),
        "hop_count": len({node.hop for node in trace.nodes}),
        "error_count": sum(_failed(node) for node in trace.nodes),
        "root_count": len(trace.roots),
    }


def _failed(node: Node) -> bool:
    return node.span["response_status"] in (2, 3, 4)


def _span(trace: Trace, node: Node, names: Names, words: Vocabulary, firsts: dict[int, int]) -> dict[str, Any]:
    span = node.span
    return {
        "id": node.index,
        "parent_id": node.parent,
        "hop": node.hop,
        "depth": node.depth,
        "row_id": span.row_id,
        "point": span.point,
        "signal": words.signals.get(span["signal_source"] or 0, ""),
        "agent_id": span.agent_id,
        "name": operation(span),
        "kind": span_kind(span),
        "service": names.service(node),
        "protocol": words.protocol(span),
        "is_tls": bool(span["is_tls"]),
        "client": _end(node, names, 0),
        "server": _end(node, names, 1),
        "request_type": span["request_type"] or "",
        "request_domain": span["request_domain"] or "",
        "request_resource": span["request_resource"] or "",
        "status": words.outcomes.get(span["response_status"], "") if span["response_status"] is not None else "",
        "code": span["response_code"],
        "exception": span["response_exception"] or "",
        "start_us": span.start_us,
        "end_us": span.end_us,
        "duration_us": span.duration_us,
        "self_us": node.self_us,
        "seen_start_us": span.seen_start_us,
        "is_critical": node.is_critical,
        "flow_id": str(span["flow_id"] or 0),
        "ids": {name: str(span[name]) for name in _LINKING if span[name]},
        "attributes": dict(span.attributes()),
        "edge": _edge(node.edge) if node.edge else None,
        "missing": _missing(trace, node.missing, firsts) if node.missing else None,
    }


def _end(node: Node, names: Names, end: int) -> dict[str, Any]:
    address = node.span.client if end == 0 else node.span.server
    return {
        "name": names.end(node, end),
        "ip": address.ip,
        "port": address.port,
        "process_id": node.span[f"process_id_{end}"] or 0,
        "process": node.span[f"process_kname_{end}"] or "",
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "kind": edge.kind,
        "relation": edge.relation,
        "confidence": edge.confidence,
        "reason": edge.reason,
        "matched": _matched(edge.matched),
    }


def _missing(trace: Trace, missing: Break, firsts: dict[int, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": missing.kind,
        "reason": missing.reason,
        "matched": _matched(missing.matched),
        "candidate": None,
    }
    if missing.candidate is not None:
        row = missing.candidate.last
        found["candidate"] = {
            # a candidate may stand in the tree, or have been left out of it
            "id": firsts.get(missing.candidate.index),
            "row_id": row.row_id,
            "point": row.point,
            "name": operation(row),
            "server": f"{row.server.ip}:{row.server.port}",
            "start_us": row.start_us,
            "duration_us": row.duration_us,
        }
    return found


def _matched(matched: Iterable[Match]) -> list[dict[str, str]]:
    return [{"first": each.first, "second": each.second, "value": each.value} for each in matched]


def _services(trace: Trace, names: Names) -> list[dict[str, Any]]:
    """Who spent the time: each row's own time, by service; the way between hosts is the network's."""
    spent: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    failed: dict[str, int] = defaultdict(int)
    for node in trace.nodes:
        name = names.bearer(node)
        spent[name] += node.self_us
        counts[name] += 1
        failed[name] += _failed(node)
    total = sum(spent.values()) or 1
    return [
        {
            "name": name,
            "self_us": spent[name],
            "share": round(spent[name] / total, 4),
            "spans": counts[name],
            "errors": failed[name],
        }
        for name in sorted(spent, key=lambda name: (-spent[name], name))
    ]


def clock_document(clock: Any) -> dict[str, Any]:
    """What is known of a clock."""
    return {
        "name": clock.name,
        "offset_us": clock.offset_us,
        "uncertainty_us": clock.uncertainty_us,
        "pairs": clock.pairs,
        "is_steady": clock.is_steady,
        "against": clock.against,
    }
