"""Spans as rows of ``flow_log.l7_flow_log``."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from metaflow_core.model.catalog import Catalog
from metaflow_receiver_otlp import semantics
from metaflow_receiver_otlp.attributes import Value, text, values
from metaflow_receiver_otlp.outcome import Outcome
from metaflow_receiver_otlp.rows import Rows

__all__ = ["TABLE", "spans"]

TABLE = "flow_log.l7_flow_log"
_COLUMNS = (
    "start_time_ns",
    "end_time_ns",
    "flow_id",
    "signal_source",
    "capture_nic_type",
    "observation_point",
    "type",
    "protocol",
    "l7_protocol",
    "biz_protocol",
    "version",
    "ip4_0",
    "ip6_0",
    "ip4_1",
    "ip6_1",
    "is_ipv4",
    "client_port",
    "server_port",
    "process_id_0",
    "process_id_1",
    "request_type",
    "request_domain",
    "request_resource",
    "endpoint",
    "response_status",
    "response_code",
    "response_exception",
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_kind",
    "app_service",
    "app_instance",
    "response_duration",
    "request_length",
    "response_length",
    "sql_affected_rows",
    "attribute_names",
    "attribute_values",
    "events",
)
_OTEL, _NIC_OTEL, _SESSION, _TCP, _CUSTOM = 4, 8, 2, 6, 127
_OK, _SERVER_ERROR, _CLIENT_ERROR = 0, 3, 4
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5
# A span of a server that does not tell its port is still one of a service (deepflow-model.md 8.2).
_UNTOLD_PORT = 65_535
_STATUS_ERROR = 2
_MAX_NS = (1 << 63) - 1


def spans(request: Any, catalog: Catalog, max_attributes: int) -> Outcome:
    """The rows of an ``ExportTraceServiceRequest``.

    A span without valid ids or times is refused and counted (OTLP: ids of 16 and 8 bytes, not all zero).
    """
    outcome, rows = Outcome(), Rows(_COLUMNS)
    number_of = catalog.enum("l7_protocol").value
    for each in request.resource_spans:
        of_resource = values(each.resource.attributes)
        for scope in each.scope_spans:
            for span in scope.spans:
                wrong = _wrong(span)
                if wrong:
                    outcome.refuse(wrong)
                    continue
                _add(rows, span, of_resource, scope.scope.name, number_of, max_attributes)
    if len(rows):
        outcome.batches[TABLE] = rows.batch()
    return outcome


def _wrong(span: Any) -> str:
    if len(span.trace_id) != 16 or not any(span.trace_id):
        return "a trace id must have 16 bytes that are not all zero"
    if len(span.span_id) != 8 or not any(span.span_id):
        return "a span id must have 8 bytes that are not all zero"
    if not 0 < span.start_time_unix_nano <= _MAX_NS or span.end_time_unix_nano > _MAX_NS:
        return "the times of a span must be Unix nanoseconds"
    return ""


def _add(
    rows: Rows,
    span: Any,
    of_resource: Mapping[str, Value],
    scope: str,
    number_of: Callable[[str], int | str | None],
    max_attributes: int,
) -> None:
    own = values(span.attributes)
    known: dict[str, Value] = {**of_resource, **own}
    name = semantics.protocol(own)
    number = number_of(name) if name else 0
    start = span.start_time_unix_nano
    # A span that is not ended, or whose clock went back, has no length rather than a negative one.
    end = max(start, span.end_time_unix_nano)
    serving = span.kind in (_SERVER, _CONSUMER)
    local, peer = _ip(semantics.first(known, semantics.LOCAL)), _ip(semantics.first(own, semantics.PEER))
    client, server = (peer, local) if serving else (local, peer)
    client_ip, server_ip, is_ipv4 = _one_family(client, server)
    client_port, server_port = _ports(own, span.kind)
    pid = semantics.number(of_resource, "process.pid") or 0
    pid = pid if 0 < pid < 1 << 31 else 0
    status, code, exception = _result(span, own)
    kept = {
        **{key: value for key, value in of_resource.items() if key not in ("service.name", "service.instance.id")},
        **own,
    }
    if scope:
        kept.setdefault("otel.scope.name", scope)
    names = list(kept)[:max_attributes]
    rows.add(
        start,
        end,
        int.from_bytes(blake2b(span.trace_id + span.span_id, digest_size=8).digest(), "big"),
        _OTEL,
        _NIC_OTEL,
        "c-app" if span.kind in (_CLIENT, _PRODUCER) else "s-app" if serving else "app",
        _SESSION,
        _TCP,
        number if isinstance(number, int) else _CUSTOM,
        name if name and not isinstance(number, int) else "",
        semantics.first(own, ("network.protocol.version", "http.flavor")),
        client_ip if is_ipv4 else 0,
        bytes(16) if is_ipv4 else client_ip.to_bytes(16, "big"),
        server_ip if is_ipv4 else 0,
        bytes(16) if is_ipv4 else server_ip.to_bytes(16, "big"),
        is_ipv4,
        client_port,
        server_port,
        0 if serving else pid,
        pid if serving else 0,
        semantics.first(own, semantics.TYPE),
        semantics.first(own, semantics.DOMAIN),
        semantics.resource(own),
        span.name,
        status,
        code,
        exception,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() if any(span.parent_span_id) else "",
        span.kind if 0 <= span.kind <= _CONSUMER else 0,
        text(of_resource.get("service.name")),
        text(of_resource.get("service.instance.id")),
        (end - start) // 1000,
        _size(own, "http.request.body.size", "http.request_content_length", "rpc.request.size"),
        _size(own, "http.response.body.size", "http.response_content_length", "rpc.response.size"),
        _size(own, "db.response.returned_rows"),
        names,
        [text(kept[key]) for key in names],
        _events(span),
    )


def _size(own: Mapping[str, Value], *names: str) -> int | None:
    found = semantics.number(own, *names)
    return found if found is not None and 0 <= found < 1 << 63 else None


def _ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _one_family(
    client: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    server: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> tuple[int, int, bool]:
    """Both addresses as numbers of one family: a row has one, the peer's or the only one that is known."""
    version = next((each.version for each in (server, client) if each is not None), 4)
    numbers = [int(each) if each is not None and each.version == version else 0 for each in (client, server)]
    return numbers[0], numbers[1], version == 4


def _ports(own: Mapping[str, Value], kind: int) -> tuple[int, int]:
    peer = semantics.number(own, *semantics.PEER_PORT)
    told = semantics.number(own, *semantics.SERVER_PORT)
    serving = kind in (_SERVER, _CONSUMER)
    client = peer if serving else semantics.number(own, "network.local.port", "net.host.port")
    server = told if told is not None else (None if serving else peer)
    untold = _UNTOLD_PORT if kind == _SERVER else 0
    return _port(client) or 0, _port(server) or untold


def _port(value: int | None) -> int:
    return value if value is not None and 0 < value < 1 << 16 else 0


def _result(span: Any, own: Mapping[str, Value]) -> tuple[int, int | None, str]:
    """Status, code and what went wrong in words."""
    code = semantics.code(own)
    if code is not None and not -(1 << 31) <= code < 1 << 31:
        code = None
    http = semantics.number(own, "http.response.status_code", "http.status_code")
    wrong = span.status.message or semantics.first(own, ("exception.message", "error.type"))
    if http is not None and http >= 500:
        return _SERVER_ERROR, code, wrong
    if http is not None and http >= 400:
        return _CLIENT_ERROR, code, wrong
    if span.status.code == _STATUS_ERROR:
        return _SERVER_ERROR, code, wrong or _exception(span)
    return _OK, code, ""


def _exception(span: Any) -> str:
    for event in span.events:
        if event.name == "exception":
            return semantics.first(values(event.attributes), ("exception.message", "exception.type"))
    return ""


def _events(span: Any) -> str:
    if not span.events:
        return ""
    found = [
        {
            "name": event.name,
            "time_ns": event.time_unix_nano,
            "attributes": {key: text(value) for key, value in values(event.attributes).items()},
        }
        for event in span.events
    ]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
