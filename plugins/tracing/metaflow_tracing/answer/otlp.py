"""A trace as OpenTelemetry spans (opentelemetry-proto), as Tempo stores and returns them."""

from __future__ import annotations

import hashlib
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status, TracesData

from metaflow_tracing.answer.names import Names, Vocabulary, operation, span_kind
from metaflow_tracing.assembly.trace import Node, Trace

__all__ = ["attributes_of", "id_bytes", "otlp", "otlp_json", "span_bytes"]

_KINDS = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
_HEX = frozenset("0123456789abcdef")
_TRACE_BYTES, _SPAN_BYTES = 16, 8


def id_bytes(trace_id: str) -> bytes:
    """16 bytes: the id itself where it is hexadecimal, else a digest of it (SkyWalking's and EagleEye's ids are longer texts)."""
    bare = trace_id.lower()
    if bare and set(bare) <= _HEX and len(bare) <= 2 * _TRACE_BYTES:
        return bytes.fromhex(bare.rjust(2 * _TRACE_BYTES, "0"))
    return hashlib.blake2b(trace_id.encode(), digest_size=_TRACE_BYTES).digest()


def span_bytes(node: Node) -> bytes:
    """8 bytes: an application's own span id; for what was seen from outside a digest of what tells the row from others."""
    own = str(node.span["span_id"] or "").lower()
    if node.span.is_span and own and set(own) <= _HEX and len(own) == 2 * _SPAN_BYTES:
        return bytes.fromhex(own)
    text = f"{node.span.row_id} {node.span.place} {own}"
    return hashlib.blake2b(text.encode(), digest_size=_SPAN_BYTES).digest()


def otlp(trace: Trace, words: Vocabulary, trace_id: str) -> TracesData:
    """One resource per service.

    :param trace_id: under which it was asked for; every span gets it.
    """
    names = Names(trace)
    data = TracesData()
    held: dict[str, ResourceSpans] = {}
    identity = id_bytes(trace_id)
    for node in trace.nodes:
        service = names.service(node)
        group = held.get(service)
        if group is None:
            group = held[service] = data.resource_spans.add()
            group.resource.attributes.append(_pair("service.name", service))
            group.scope_spans.add().scope.name = "metaflow"
        span = group.scope_spans[0].spans.add(
            trace_id=identity,
            span_id=span_bytes(node),
            parent_span_id=b"" if node.parent is None else span_bytes(trace.nodes[node.parent]),
            name=operation(node.span),
            kind=_KINDS[span_kind(node.span)],
            start_time_unix_nano=max(0, node.span.start_us) * 1000,
            end_time_unix_nano=max(0, node.span.end_us) * 1000,
        )
        span.attributes.extend(_pair(name, value) for name, value in attributes_of(node, words).items())
        if node.span["response_status"] in (2, 3, 4):
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = node.span["response_exception"] or ""
    return data


def otlp_json(data: TracesData) -> dict[str, Any]:
    """As protobuf's own JSON, which is what Tempo answers: ids in base64, 64-bit numbers as texts."""
    # with it comes protobuf's own writer of text, which nobody needs before a trace is asked for
    from google.protobuf.json_format import MessageToDict

    found: dict[str, Any] = MessageToDict(data)
    return found


def attributes_of(node: Node, words: Vocabulary) -> dict[str, Any]:
    """What was seen, under OpenTelemetry's names where it has one, and the evidence of the edge above."""
    span = node.span
    found: dict[str, Any] = dict(span.attributes())
    http = words.protocol(span).upper().startswith("HTTP")
    pairs = {
        "http.request.method" if http else "rpc.method": span["request_type"],
        "url.path" if http else "metaflow.request_resource": span["request_resource"],
        "server.address": span["request_domain"] or span.server.ip,
        "server.port": span.server.port,
        "client.address": span.client.ip,
        "client.port": span.client.port,
        "http.response.status_code" if http else "metaflow.response_code": span["response_code"],
        "metaflow.protocol": words.protocol(span),
        "metaflow.observation_point": span.point,
        "metaflow.row_id": span.row_id,
        "metaflow.self_us": node.self_us,
        "metaflow.is_critical": node.is_critical,
        "metaflow.process": span["process_kname_1"] or span["process_kname_0"],
        "metaflow.edge.kind": node.edge.kind if node.edge else "",
        "metaflow.edge.confidence": node.edge.confidence if node.edge else None,
        "metaflow.edge.reason": node.edge.reason if node.edge else "",
        "metaflow.missing": node.missing.reason if node.missing else "",
    }
    for name, value in pairs.items():
        if value not in (None, "", 0) or value is False:
            found.setdefault(name, value)
    return found


def _pair(name: str, value: Any) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=name, value=AnyValue(double_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=str(value)))
