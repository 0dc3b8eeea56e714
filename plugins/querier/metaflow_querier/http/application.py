"""The querier's own paths."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from metaflow_core.api import BuildContext, Route
from metaflow_core.errors import QueryError
from metaflow_querier.config import QuerierConfig
from metaflow_querier.http.asking import Asking
from metaflow_querier.http.describe import describe, describe_table
from metaflow_querier.http.doctor import Doctor
from metaflow_querier.http.errors import DEFECT, error_response
from metaflow_querier.http.openapi import openapi
from metaflow_querier.http.page import routes_page
from metaflow_querier.http.tail import Tail

__all__ = ["Application"]

_PATHS = (
    ("POST", "/v1/query", "Ask in SQL: db, sql; JSON, CSV or Arrow."),
    ("GET", "/v1/catalog", "Tables, tags, metrics, functions, enumerations."),
    ("GET", "/v1/status", "State of every component, every counter."),
    ("GET", "/v1/doctor", "What this machine has and lacks, each with its remedy."),
    ("GET", "/v1/tail", "Rows as they are made (server-sent events)."),
    ("GET", "/v1/health/", "Whether the process answers."),
    ("GET", "/v1/ready", "Whether questions can be answered."),
    ("GET", "/openapi.json", "Description of these paths (OpenAPI 3.1)."),
)
_LOGGER = logging.getLogger("metaflow.service.querier")
_USABLE = frozenset({"running", "degraded"})


class Application:
    """A Starlette application over one app of MetaFlow."""

    def __init__(
        self, context: BuildContext, config: QuerierConfig, others: Callable[[], Iterable[tuple[str, Route]]]
    ) -> None:
        self._context = context
        self._config = config
        self._others = others
        self._asking = Asking(context, config)
        handlers: dict[str, Callable[[Request], Any]] = {
            "/v1/query": self._asking,
            "/v1/catalog": self._catalog,
            "/v1/status": self._status,
            "/v1/doctor": Doctor(context, config),
            "/v1/tail": Tail(context),
            "/v1/health/": self._health,
            "/v1/ready": self._ready,
            "/openapi.json": self._openapi,
        }
        routes = [StarletteRoute("/", _endpoint(self._page), methods=["GET"])]
        for method, path, _ in _PATHS:
            spellings = {path, path.rstrip("/"), f"{path.rstrip('/')}/" if path.startswith("/v1") else path}
            endpoint = _endpoint(handlers[path])
            routes.extend(StarletteRoute(spelling, endpoint, methods=[method]) for spelling in sorted(spellings))
        self._app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        await self._app(scope, receive, send)

    def routes(self) -> list[Route]:
        """Its paths, for whoever lists or mounts them."""
        return [Route(path=path, app=self._app, summary=summary) for _, path, summary in _PATHS]

    async def _catalog(self, request: Request) -> Response:
        name = request.query_params.get("table")
        if name is None:
            return JSONResponse(describe(self._context.catalog))
        try:
            return JSONResponse(describe_table(self._context.catalog, name))
        except QueryError as error:
            return error_response(404, error.code, str(error))

    async def _status(self, request: Request) -> Response:
        app: Any = self._context.services.get("app")
        counters = [
            {"component": s.component, "stage": s.stage, "reason": s.reason, "unit": s.unit, "value": s.value}
            for s in (app.stats() if app is not None else self._context.counters.samples())
        ]
        components = [dict(each) for each in app.status()] if app is not None else []
        return JSONResponse({"components": components, "counters": counters, "queries_running": self._asking.running})

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        app: Any = self._context.services.get("app")
        missing: list[str] = []
        components = [dict(each) for each in app.status()] if app is not None else []
        for kind, wanted in (("storage", None), ("dialect", self._config.dialect)):
            found = [each for each in components if each["kind"] == kind and wanted in (None, each["id"])]
            if not any(each["state"] in _USABLE for each in found):
                missing.append(f"no {kind}{f' {wanted}' if wanted else ''} is running")
        if missing:
            return JSONResponse({"status": "not ready", "reasons": missing}, 503)
        return JSONResponse({"status": "ready"})

    async def _openapi(self, request: Request) -> Response:
        try:
            release = version("metaflow-querier")
        except PackageNotFoundError:
            release = "0"
        return JSONResponse(openapi(version=release, has_token=self._config.token is not None))

    async def _page(self, request: Request) -> Response:
        rows = [*_PATHS, *(("GET", route.path, f"{name}: {route.summary}") for name, route in self._others())]
        return routes_page(rows, str(request.base_url).rstrip("/"))


def _endpoint(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Starlette takes a coroutine function for one that is given a request; an object is taken for an application."""

    async def endpoint(request: Request) -> Response:
        try:
            response: Response = await handler(request)
        except HTTPException:
            raise
        except Exception:
            # before Starlette's own answer, which is no JSON
            _LOGGER.exception("%s %s: a defect of MetaFlow.", request.method, request.url.path)
            return error_response(500, "internal", DEFECT)
        return response

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: f"there is nothing at {request.url.path}; / lists what there is",
        405: f"{request.method} is not for {request.url.path}; allowed: {(error.headers or {}).get('Allow', '')}",
    }.get(error.status_code, error.detail)
    code = {404: "not-found", 405: "method"}.get(error.status_code, "http")
    return error_response(error.status_code, code, said, error.headers)
