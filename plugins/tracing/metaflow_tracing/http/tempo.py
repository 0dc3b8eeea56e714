"""Tempo's HTTP API, version 1 and 2, as Grafana's data source calls it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as Path

from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.query import TimeRange
from metaflow_tracing.answer.names import operation
from metaflow_tracing.answer.otlp import id_bytes, otlp, otlp_json
from metaflow_tracing.http.answering import Answering, whole_number
from metaflow_tracing.search.attributes import INTRINSICS, KNOWN
from metaflow_tracing.search.searcher import Summary, root_service, shown_service
from metaflow_tracing.search.traceql import duration_us, parse_logfmt, parse_traceql, unscoped
from metaflow_tracing.spans import COLUMNS, TAGS, Span
from metaflow_tracing.tracer import time_range

__all__ = ["tempo_application"]

_PROTOBUF = "application/protobuf"
_LENGTH_DELIMITED_1 = b"\x0a"
_STATUS = ("error", "ok", "unset")
_KINDS = ("client", "internal", "server")


def tempo_application(answering: Answering) -> Starlette:
    """An application with paths relative to its prefix."""
    api = _Tempo(answering)
    paths = {
        "/api/traces/{id}": api.trace_v1,
        "/api/v2/traces/{id}": api.trace_v2,
        "/api/search": api.search,
        "/api/metrics/query": api.metrics,
        "/api/metrics/query_range": api.metrics,
        "/api/metrics/summary": api.metrics,
        "/api/search/tags": api.tags_v1,
        "/api/v2/search/tags": api.tags_v2,
        "/api/search/tag/{tag:path}/values": api.values_v1,
        "/api/v2/search/tag/{tag:path}/values": api.values_v2,
    }
    routes = [Path(path, answering.guarded(handler, _refusal), methods=["GET"]) for path, handler in paths.items()]
    routes += [
        Path("/api/echo", _echo),
        Path("/ready", _ready),
        Path("/api/status/buildinfo", _buildinfo),
        Path("/status/version", _buildinfo),
    ]
    return Starlette(routes=routes)


class _Tempo:
    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def _trace(self, request: Request) -> Any:
        name = request.path_params["id"]
        if not id_bytes(name).strip(b"\x00"):
            raise UnsupportedQuery(f"{name!r} is no trace id")
        time = time_range(request.query_params.get("start"), request.query_params.get("end"))
        found = await self._answering.tracer.trace(self._answering.store(), name, time)
        return None if found is None else (otlp(found.trace, self._answering.words, name), found.trace.notes)

    async def trace_v1(self, request: Request) -> Response:
        """A bare ``Trace``; 404 when there is none."""
        found = await self._trace(request)
        if found is None:
            return PlainTextResponse("trace not found", 404)
        data, _ = found
        if _wants_protobuf(request):
            return Response(data.SerializeToString(), media_type=_PROTOBUF)
        return JSONResponse({"batches": otlp_json(data).get("resourceSpans", [])})

    async def trace_v2(self, request: Request) -> Response:
        """``TraceByIDResponse``: the trace, and whether it is whole."""
        found = await self._trace(request)
        if found is None:
            return PlainTextResponse("trace not found", 404)
        data, notes = found
        is_cut = any("more" in note or "cut" in note for note in notes)
        if _wants_protobuf(request):
            return Response(
                _trace_by_id(data.SerializeToString(), "; ".join(notes) if is_cut else ""), media_type=_PROTOBUF
            )
        body: dict[str, Any] = {"trace": otlp_json(data), "metrics": {}}
        if is_cut:
            body |= {"status": "PARTIAL", "message": "; ".join(notes)}
        return JSONResponse(body)

    async def search(self, request: Request) -> Response:
        """Traces by TraceQL (``q``) or by ``tags``."""
        asked = request.query_params
        most = max(1, whole_number(request, "limit", 20, most=self._answering.config.max_search) or 20)
        per_trace = whole_number(request, "spss", 3, most=100) or 3
        catalog = self._answering.catalog
        question = (
            parse_traceql(asked["q"], catalog) if asked.get("q") else parse_logfmt(asked.get("tags", ""), catalog)
        )
        for key, op in (("minDuration", ">="), ("maxDuration", "<=")):
            if asked.get(key):
                question.bounds.narrow(op, duration_us(asked[key]))
        found = await self._answering.searcher.summaries(self._answering.store(), question, self._time(request), most)
        metrics = {"inspectedTraces": len(found), "completedJobs": 1, "totalJobs": 1}
        return JSONResponse({"traces": [_found(each, per_trace, question.shown) for each in found], "metrics": metrics})

    async def metrics(self, request: Request) -> Response:
        """TraceQL's numbers, which Grafana's Explore and Drilldown ask for.

        :raises UnsupportedQuery: always; the sentence says where the numbers are.
        """
        raise UnsupportedQuery(
            f"{request.query_params.get('q') or 'this query'} asks for numbers, and TraceQL metrics are not computed here: searches are "
            "(/api/search). Rates, errors and durations of the same requests are answered to PromQL and SQL"
        )

    def _time(self, request: Request) -> TimeRange:
        start, end = (request.query_params.get(name) for name in ("start", "end"))
        try:
            return self._answering.recent(float(start) if start else None, float(end) if end else None)
        except ValueError:
            raise QueryError(f"start and end are seconds since 1970; found {start!r} and {end!r}") from None

    async def tags_v1(self, request: Request) -> Response:
        """Names without scopes."""
        del request
        return JSONResponse({"tagNames": ["service.name", *sorted(KNOWN)], "metrics": {}})

    async def tags_v2(self, request: Request) -> Response:
        """Names by scope."""
        wanted = request.query_params.get("scope", "")
        scopes = {
            "resource": ["service.instance.id", "service.name"],
            "span": sorted(set(KNOWN) - {"service.instance.id"}),
            "intrinsic": list(INTRINSICS),
        }
        shown = [{"name": name, "tags": tags} for name, tags in scopes.items() if wanted in ("", "none", name)]
        return JSONResponse({"scopes": shown, "metrics": {}})

    async def values_v1(self, request: Request) -> Response:
        """Values as texts."""
        return JSONResponse({"tagValues": [text for _, text in await self._values(request)], "metrics": {}})

    async def values_v2(self, request: Request) -> Response:
        """Values with their types."""
        return JSONResponse(
            {"tagValues": [{"type": kind, "value": text} for kind, text in await self._values(request)], "metrics": {}}
        )

    async def _values(self, request: Request) -> list[tuple[str, str]]:
        # Grafana escapes names twice, since they hold dots and slashes
        name = unquote(request.path_params["tag"])
        for scope in ("resource.", "span.", "intrinsic.", ".", "span:"):
            name = name.removeprefix(scope)
        name = {"trace:rootName": "name", "trace:rootService": "service.name", "trace:duration": "duration"}.get(
            name, name
        )
        time, store, searcher = self._time(request), self._answering.store(), self._answering.searcher
        match name:
            case "status":
                return [("keyword", each) for each in _STATUS]
            case "kind":
                return [("keyword", each) for each in _KINDS]
            case "name" | "rootName":
                return [("string", each) for each in await searcher.operations(store, time, "")]
            case "service.name" | "rootServiceName":
                return [("string", each) for each in await searcher.services(store, time)]
            case "duration" | "traceDuration" | "id" | "trace:id":
                return []
            case "statusMessage":
                name = "exception.message"
        return [
            ("int" if isinstance(each, int) else "string", str(each))
            for each in await searcher.values(store, time, name)
        ]


def _found(summary: Summary, per_trace: int, shown: tuple[str, ...]) -> dict[str, Any]:
    spans = [_span(span, shown) for span in summary.matched[:per_trace]]
    span_set = {"spans": spans, "matched": len(summary.matched)}
    return {
        "traceID": id_bytes(summary.trace_id).hex(),
        "rootServiceName": root_service(summary.root),
        "rootTraceName": operation(summary.root),
        "startTimeUnixNano": str(summary.start_us * 1000),
        "durationMs": (summary.end_us - summary.start_us) // 1000,
        "spanSet": span_set,
        "spanSets": [span_set],
        "serviceStats": _stats(summary.matched),
    }


def _selected(span: Span, shown: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Attributes that the query selects, those of them that this row has."""
    for written in shown:
        name = unscoped(written.removeprefix("span:"))
        column = KNOWN.get(name, name)
        value = span[column] if column in COLUMNS or column in TAGS else span.attributes().get(name)
        if name == "service.name" or value in (None, "", 0):
            continue
        kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
        yield {"key": name, "value": kind}


def _span(span: Span, shown: tuple[str, ...]) -> dict[str, Any]:
    return {
        "spanID": (span["span_id"] or span.row_id)[:16],
        "name": operation(span),
        "startTimeUnixNano": str(span.start_us * 1000),
        "durationNanos": str(span.duration_us * 1000),
        "attributes": [
            {"key": "service.name", "value": {"stringValue": shown_service(span)}},
            {"key": "metaflow.observation_point", "value": {"stringValue": span.point}},
            *_selected(span, shown),
        ],
    }


def _stats(spans: Iterable[Span]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for span in spans:
        counts = found.setdefault(shown_service(span), {"spanCount": 0, "errorCount": 0})
        counts["spanCount"] += 1
        counts["errorCount"] += span["response_status"] in (2, 3, 4)
    return found


def _trace_by_id(trace: bytes, message: str) -> bytes:
    """``tempopb.TraceByIDResponse``: 1 trace, 2 metrics, 3 status (0 complete, 1 partial), 4 message."""
    said = message.encode()
    partial = b"\x18\x01\x22" + _varint(len(said)) + said if said else b""
    return _LENGTH_DELIMITED_1 + _varint(len(trace)) + trace + b"\x12\x00" + partial


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _wants_protobuf(request: Request) -> bool:
    return "protobuf" in request.headers.get("accept", "")


def _refusal(status: int, code: str, said: str) -> dict[str, Any]:
    del status
    return {"error": code, "message": said}


async def _echo(request: Request) -> Response:
    del request
    return PlainTextResponse("echo")


async def _ready(request: Request) -> Response:
    del request
    return PlainTextResponse("ready\n")


async def _buildinfo(request: Request) -> Response:
    """A version from which on Grafana uses TraceQL and the second version of the API."""
    del request
    return JSONResponse(
        {"version": "2.6.0", "revision": "metaflow", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
    )
