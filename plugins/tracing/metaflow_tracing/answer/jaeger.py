"""A trace as Jaeger's query API answers it."""

from __future__ import annotations

from typing import Any

from metaflow_tracing.answer.names import Names, Vocabulary, operation, span_kind
from metaflow_tracing.answer.otlp import attributes_of, id_bytes, span_bytes
from metaflow_tracing.assembly.trace import Node, Trace

__all__ = ["jaeger_trace"]


def jaeger_trace(trace: Trace, words: Vocabulary, trace_id: str) -> dict[str, Any]:
    """One element of ``data``: ids in hexadecimal, times in microseconds, a process per service."""
    names = Names(trace)
    identity = id_bytes(trace_id).hex()
    processes: dict[str, str] = {}
    spans = []
    for node in trace.nodes:
        process = processes.setdefault(names.service(node), f"p{len(processes) + 1}")
        spans.append(_span(trace, node, words, identity, process))
    listed = {key: {"serviceName": name, "tags": []} for name, key in processes.items()}
    return {"traceID": identity, "spans": spans, "processes": listed, "warnings": trace.notes or None}


def _span(trace: Trace, node: Node, words: Vocabulary, identity: str, process: str) -> dict[str, Any]:
    parent = None if node.parent is None else span_bytes(trace.nodes[node.parent]).hex()
    tags = [
        _tag(name, value) for name, value in {"span.kind": span_kind(node.span), **attributes_of(node, words)}.items()
    ]
    if node.span["response_status"] in (2, 3, 4):
        tags.append(_tag("error", True))
    references = [] if parent is None else [{"refType": "CHILD_OF", "traceID": identity, "spanID": parent}]
    return {
        "traceID": identity,
        "spanID": span_bytes(node).hex(),
        "operationName": operation(node.span),
        "references": references,
        "startTime": node.span.start_us,
        "duration": node.span.duration_us,
        "tags": tags,
        "logs": [],
        "processID": process,
        "warnings": [node.missing.reason] if node.missing and node.missing.candidate else None,
    }


def _tag(name: str, value: Any) -> dict[str, Any]:
    kind = {bool: "bool", int: "int64", float: "float64"}.get(type(value), "string")
    return {"key": name, "type": kind, "value": value if kind != "string" else str(value)}
