"""``/v1/trace``: one trace whole, or a list of traces."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from metaflow_core.errors import UnsupportedQuery
from metaflow_tracing.answer.document import trace_document, trace_summary
from metaflow_tracing.http.answering import Answering
from metaflow_tracing.tracer import time_range

__all__ = ["own_application"]

_MOST_BODY = 1 << 16
_MOST_SEEDS = 500


def own_application(answering: Answering) -> ASGIApp:
    """An application with paths relative to its prefix."""

    async def answer(request: Request) -> Response:
        asked = await _asked(request)
        time = time_range(asked.get("start"), asked.get("end"))
        name = str(asked.get("id") or asked.get("trace_id") or asked.get("row_id") or "")
        if name:
            found = await answering.tracer.trace(answering.store(), name, time)
            if found is None:
                said = f"no row has the trace id or row id {name!r}{' in this time' if time else ''}"
                return JSONResponse(refusal(404, "not-found", said), 404)
            document = await _apart(trace_document, found.trace, answering.words, plans=found.plans)
            return _json(document)
        range_ = time or answering.recent(None, None)
        most = min(_limit(asked), answering.config.max_search, _MOST_SEEDS)
        traces = await answering.tracer.traces(answering.store(), str(asked.get("where") or ""), range_, most)
        is_whole = str(asked.get("full", "")).lower() in ("1", "true", "yes")
        shown = [
            trace_document(each.trace, answering.words) if is_whole else trace_summary(each.trace, answering.words)
            for each in traces
        ]
        return _json({"traces": shown, "plans": traces[0].plans if traces else 0})

    guarded = answering.guarded(answer, refusal)
    routes = Starlette(routes=[Path(path, guarded, methods=["GET", "POST"]) for path in ("/", "/{id:path}")])

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        # the prefix itself, without a slash, is a path too
        if scope["type"] == "http" and scope["path"] == scope.get("root_path"):
            scope = {**scope, "path": scope["path"] + "/"}
        await routes(scope, receive, send)

    return mounted


async def _apart(function: Any, *arguments: Any, **options: Any) -> Any:
    """Documents of large traces take time that other requests should not wait for."""
    import asyncio

    return await asyncio.to_thread(function, *arguments, **options)


def refusal(status: int, code: str, said: str) -> dict[str, Any]:
    """As the querier says it."""
    del status
    return {"error": {"code": code, "message": said}}


def _json(document: dict[str, Any]) -> Response:
    # starlette's own refuses NaN and escapes; traces are large, so no spaces
    return Response(json.dumps(document, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


async def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = dict(request.query_params)
    if request.path_params.get("id"):
        asked["id"] = request.path_params["id"]
    if request.method == "POST":
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BODY:
                raise UnsupportedQuery(f"the body is longer than {_MOST_BODY} bytes")
        try:
            said = json.loads(body or b"{}")
        except ValueError as error:
            raise UnsupportedQuery(f"the body is no JSON: {error}") from None
        if not isinstance(said, dict):
            raise UnsupportedQuery('the body is a JSON object, e.g. {"id": "..."}')
        asked.update(said)
    return asked


def _limit(asked: dict[str, Any]) -> int:
    value = asked.get("limit", 20)
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise UnsupportedQuery(f"limit is a whole number; found {value!r}") from None
    if number < 1:
        raise UnsupportedQuery(f"limit is at least 1; found {number}")
    return number
