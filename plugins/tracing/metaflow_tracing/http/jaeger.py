"""Jaeger's query API, as its own pages and Grafana's data source call it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.expression import Expr
from metaflow_core.query import TimeRange
from metaflow_tracing.answer.jaeger import jaeger_trace
from metaflow_tracing.http.answering import Answering, whole_number
from metaflow_tracing.search.attributes import condition, named, service_condition, status_condition
from metaflow_tracing.search.question import Question
from metaflow_tracing.search.searcher import all_of
from metaflow_tracing.search.traceql import duration_us

__all__ = ["jaeger_application"]

_AT_ONCE = 8


def jaeger_application(answering: Answering) -> Starlette:
    """An application with paths relative to its prefix."""
    api = _Jaeger(answering)
    paths = {
        "/api/services": api.services,
        "/api/services/{service:path}/operations": api.service_operations,
        "/api/operations": api.operations,
        "/api/traces": api.traces,
        "/api/traces/{id}": api.trace,
        "/api/dependencies": api.dependencies,
    }
    return Starlette(
        routes=[Path(path, answering.guarded(handler, _refusal), methods=["GET"]) for path, handler in paths.items()]
    )


class _Jaeger:
    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def _time(self, request: Request) -> TimeRange:
        """``start`` and ``end`` are microseconds here."""
        start, end = whole_number(request, "start", None), whole_number(request, "end", None)
        return self._answering.recent(None if start is None else start / 1e6, None if end is None else end / 1e6)

    async def services(self, request: Request) -> Response:
        """Names of services."""
        return _data(await self._answering.searcher.services(self._answering.store(), self._time(request)))

    async def service_operations(self, request: Request) -> Response:
        """Names of a service's operations."""
        service = request.path_params["service"]
        return _data(await self._answering.searcher.operations(self._answering.store(), self._time(request), service))

    async def operations(self, request: Request) -> Response:
        """The same with kinds."""
        service = request.query_params.get("service", "")
        found = await self._answering.searcher.operations(self._answering.store(), self._time(request), service)
        return _data([{"name": name, "spanKind": "server"} for name in found])

    async def trace(self, request: Request) -> Response:
        """One trace."""
        name = request.path_params["id"]
        found = await self._answering.tracer.trace(self._answering.store(), name)
        if found is None:
            return JSONResponse(_refusal(404, "not-found", "trace not found"), 404)
        return _data([jaeger_trace(found.trace, self._answering.words, name)])

    async def traces(self, request: Request) -> Response:
        """Traces that match, each whole."""
        asked = request.query_params
        store = self._answering.store()
        names = asked.getlist("traceID")
        if not names:
            most = max(1, whole_number(request, "limit", 20, most=100) or 20)
            question = Question(self._condition(request))
            for key, op in (("minDuration", ">="), ("maxDuration", "<=")):
                if asked.get(key):
                    question.bounds.narrow(op, duration_us(asked[key]))
            found = await self._answering.searcher.summaries(store, question, self._time(request), most)
            names = [each.trace_id for each in found]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> Any:
            async with gate:
                answer = await self._answering.tracer.trace(store, name)
            return None if answer is None else jaeger_trace(answer.trace, self._answering.words, name)

        return _data([each for each in await asyncio.gather(*(one(name) for name in names[:100])) if each is not None])

    def _condition(self, request: Request) -> Expr:
        asked = request.query_params
        parts: list[Expr] = []
        if asked.get("service"):
            parts.append(service_condition("=", asked["service"]))
        if asked.get("operation") and asked["operation"] != "all":
            parts.append(named("=", asked["operation"]))
        try:
            tags = json.loads(asked.get("tags") or "{}")
        except ValueError as error:
            raise UnsupportedQuery(f"tags is a JSON object; it cannot be read: {error}") from None
        if not isinstance(tags, dict):
            raise UnsupportedQuery('tags is a JSON object, e.g. {"http.status_code": "500"}')
        for written in asked.getlist("tag"):  # the other form: tag=key:value, as often as wanted
            name, colon, value = written.partition(":")
            if not colon:
                raise UnsupportedQuery(f"tag is key:value; found {written!r}")
            tags[name] = value
        for name, value in tags.items():
            if name == "error":
                parts.append(status_condition("=" if str(value).lower() == "true" else "!=", "error"))
            else:
                parts.append(
                    condition(
                        self._answering.catalog, name, "=", value if isinstance(value, (str, int, bool)) else str(value)
                    )
                )
        return all_of(parts)

    async def dependencies(self, request: Request) -> Response:
        """Which service asks which."""
        end, lookback = whole_number(request, "endTs", None), whole_number(request, "lookback", None)
        end_s = None if end is None else end / 1000
        start_s = None if end_s is None or lookback is None else max(0.0, end_s - lookback / 1000)
        found = await self._answering.searcher.calls(self._answering.store(), self._answering.recent(start_s, end_s))
        return _data([{"parent": one, "child": other, "callCount": count} for one, other, count in found])


def _data(found: list[Any]) -> Response:
    return JSONResponse({"data": found, "total": len(found), "limit": 0, "offset": 0, "errors": None})


def _refusal(status: int, code: str, said: str) -> dict[str, Any]:
    return {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": status, "msg": said, "kind": code}]}
