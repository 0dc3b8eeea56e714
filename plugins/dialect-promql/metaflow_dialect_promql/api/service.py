"""The component: routes of Prometheus' HTTP API over a running app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route as Path

from metaflow_core.api import AppView, BuildContext, QueryResult, Resource, Route
from metaflow_core.errors import MetaFlowError, QuerySyntaxError
from metaflow_dialect_promql.api.exemplars import add_exemplars, exemplar_selector
from metaflow_dialect_promql.api.forms import (
    BodyTooLarge,
    Parameters,
    failure,
    label_sets,
    read_body,
    result_json,
    success,
    written,
)
from metaflow_dialect_promql.api.openapi import openapi
from metaflow_dialect_promql.api.remote_read import remote_read
from metaflow_dialect_promql.config import ApiConfig
from metaflow_dialect_promql.dialect import milliseconds
from metaflow_dialect_promql.errors import BadParameter
from metaflow_dialect_promql.labels import LABEL_NAME, NAME
from metaflow_dialect_promql.leaf.catalog import catalog_metrics
from metaflow_dialect_promql.syntax.nodes import Selector, walk
from metaflow_dialect_promql.syntax.parse import parse
from metaflow_dialect_promql.syntax.text import as_json, format_query

__all__ = ["PrometheusApi"]

Handler = Callable[[Request, Parameters], Awaitable[Response]]
_CUT = "results truncated due to limit"
# What Grafana and the API's own clients compare: the version of the language that is followed.
_VERSION = "3.5.0"


class PrometheusApi:
    """Answers under ``/prom/api/v1``; see docs/reference/promql.md.

    :param context: ``services["app"]`` is the running app (:class:`metaflow_core.api.AppView`).
    """

    def __init__(self, context: BuildContext, config: ApiConfig) -> None:
        self._config = config
        self._context = context
        self._catalog = context.catalog

    async def start(self) -> None:
        """Nothing to acquire: the querier mounts the routes."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def resources(self) -> Iterable[Resource]:
        """No port of its own."""
        return ()

    def integrations(self) -> Iterable[tuple[str, str]]:
        """The address of Grafana's data source of type Prometheus; ``{url}`` is where the app's pages are."""
        return [("Grafana, data source Prometheus", "{url}" + self._config.prefix)]

    def routes(self) -> Iterable[Route]:
        """The one application."""
        summary = "Prometheus' HTTP API: query, query_range, series, labels, metadata, remote read"
        return [Route(path=self._config.prefix, app=self.application(), summary=summary)]

    def application(self) -> Starlette:
        """The ASGI application, with paths relative to the prefix."""
        both = {
            "query": self._query,
            "query_range": self._query_range,
            "query_exemplars": self._exemplars,
            "series": self._series,
            "labels": self._labels,
            "format_query": self._format,
            "parse_query": self._parse,
        }
        get: dict[str, Handler] = {
            "label/{name}/values": self._label_values,
            "metadata": self._metadata,
            "status/buildinfo": self._buildinfo,
            "status/config": self._status({"yaml": ""}),
            "status/flags": self._status({}),
            "status/runtimeinfo": self._status({}),
            "rules": self._status({"groups": []}),
            "alerts": self._status({"alerts": []}),
            "targets": self._status({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}),
            "alertmanagers": self._status({"activeAlertmanagers": [], "droppedAlertmanagers": []}),
        }
        routes = [Path(f"/api/v1/{path}", self._endpoint(each), methods=["GET", "POST"]) for path, each in both.items()]
        routes += [Path(f"/api/v1/{path}", self._endpoint(each), methods=["GET"]) for path, each in get.items()]
        routes.append(Path("/api/v1/openapi.json", _described, methods=["GET"]))
        routes.append(Path("/api/v1/read", self._read, methods=["POST"]))
        routes += [Path(f"/-/{name}", _alive, methods=["GET", "HEAD"]) for name in ("healthy", "ready")]
        return Starlette(routes=routes, exception_handlers={404: _not_found})

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            try:
                return await handler(request, await Parameters.of(request, self._config.max_body_bytes))
            except MetaFlowError as error:
                return failure(error)
            except Exception as error:
                self._context.logger.exception("A request to %s failed.", request.url.path)
                return failure(error)

        return run

    async def _ask(self, text: str, parameters: Parameters | None = None, **params: Any) -> QueryResult:
        app = self._context.services.get("app")
        if app is None:
            raise MetaFlowError("the API runs outside of an app, so there is nothing to ask")
        view: AppView = app  # type: ignore[assignment]
        timeout = self._config.timeout_s
        asked = parameters.get("timeout") if parameters is not None else None
        if asked is not None:
            timeout = min(timeout, max(milliseconds(asked, "timeout", duration=True) / 1000, 0.001))
        return await view.query(self._config.dialect, text, timeout_s=timeout, shape="series", **params)

    async def _query(self, request: Request, parameters: Parameters) -> Response:
        del request
        limit = parameters.limit()
        now = self._context.clock.time_ns() // 1_000_000
        moment = milliseconds(parameters.get("time", str(now / 1000)), "time")
        result = await self._ask(
            parameters.need("query"), parameters, time=moment / 1000, lookback=parameters.get("lookback_delta")
        )
        return _answer(result, moment, limit)

    async def _query_range(self, request: Request, parameters: Parameters) -> Response:
        del request
        limit = parameters.limit()
        window = {name: parameters.need(name) for name in ("start", "end", "step")}
        lookback = parameters.get("lookback_delta")
        result = await self._ask(parameters.need("query"), parameters, lookback=lookback, **window)
        return _answer(result, 0, limit)

    async def _exemplars(self, request: Request, parameters: Parameters) -> Response:
        """Exemplars of every series that the expression selects."""
        del request
        selectors = [each for each in walk(parse(parameters.need("query"))) if isinstance(each, Selector)]
        window = self._window(parameters)
        found: dict[str, dict[str, Any]] = {}
        for selector in selectors:
            text = format_query(exemplar_selector(selector))
            result = await self._ask(text, parameters, operation="samples", **window)
            add_exemplars(found, result.table)
        return success(list(found.values()))

    def _window(self, parameters: Parameters) -> dict[str, Any]:
        found = {name: parameters.get(name) for name in ("start", "end")}
        for name, value in found.items():
            if value is not None:
                milliseconds(value, name)
        if (
            found["start"]
            and found["end"]
            and milliseconds(found["end"], "end") < milliseconds(found["start"], "start")
        ):
            raise BadParameter('invalid parameter "end": end timestamp must not be before start time')
        return found

    async def _found(self, parameters: Parameters, operation: str) -> list[dict[str, str]]:
        result = await self._ask(
            "", parameters, operation=operation, match=parameters.all("match[]"), **self._window(parameters)
        )
        return label_sets(result.table)

    async def _series(self, request: Request, parameters: Parameters) -> Response:
        del request
        if not parameters.all("match[]"):
            raise BadParameter("no match[] parameter provided")
        limit = parameters.limit()
        found = await self._found(parameters, "series")
        return _cut(found, limit)

    async def _all_series(self, parameters: Parameters) -> list[dict[str, str]]:
        if parameters.all("match[]"):
            return await self._found(parameters, "series")
        result = await self._ask(
            "", parameters, operation="series", match=['{__name__=~".+"}'], **self._window(parameters)
        )
        return label_sets(result.table)

    async def _labels(self, request: Request, parameters: Parameters) -> Response:
        del request
        limit = parameters.limit()
        return _cut(sorted({name for each in await self._all_series(parameters) for name in each}), limit)

    async def _label_values(self, request: Request, parameters: Parameters) -> Response:
        name = _unescaped(request.path_params["name"])
        if not LABEL_NAME.match(name) and not request.path_params["name"].startswith("U__"):
            raise BadParameter(f'invalid label name: "{name}"')
        limit = parameters.limit()
        if name == NAME:
            found = await self._found(parameters, "names")
        else:
            found = await self._all_series(parameters)
        return _cut(sorted({each[name] for each in found if name in each}), limit)

    async def _metadata(self, request: Request, parameters: Parameters) -> Response:
        """Help and unit of metrics: what senders told, and the catalogue's (gauges: a sample is what one interval saw)."""
        del request
        limit, wanted = parameters.limit(), parameters.get("metric")
        per_metric = parameters.get("limit_per_metric")
        result = await self._ask("", parameters, operation="series", match=['{__name__="__metadata__"}'], start=0)
        found: dict[str, list[Mapping[str, str]]] = {}
        for each in label_sets(result.table):
            row = {"type": each.get("type", "unknown"), "help": each.get("help", ""), "unit": each.get("unit", "")}
            found.setdefault(each.get("metric", ""), []).append(row)
        for metric in catalog_metrics(self._catalog):
            found[metric.name] = [{"type": "gauge", "help": metric.field.description, "unit": metric.field.unit}]
        if wanted is not None:
            found = {name: rows for name, rows in found.items() if name == wanted}
        if per_metric is not None and per_metric.isascii() and per_metric.isdecimal():
            found = {name: rows[: int(per_metric)] for name, rows in found.items()}
        return success(dict(list(found.items())[:limit] if limit else found))

    async def _format(self, request: Request, parameters: Parameters) -> Response:
        del request
        return success(format_query(parse(parameters.need("query"))))

    async def _parse(self, request: Request, parameters: Parameters) -> Response:
        del request
        return success(as_json(parse(parameters.need("query"))))

    async def _buildinfo(self, request: Request, parameters: Parameters) -> Response:
        """No ``features``: Grafana takes a server that lists some for another product."""
        del request, parameters
        return success(
            {
                "version": _VERSION,
                "revision": "metaflow",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
        )

    def _status(self, data: Mapping[str, Any]) -> Handler:
        async def run(request: Request, parameters: Parameters) -> Response:
            del request, parameters
            return success(data)

        return run

    async def _read(self, request: Request) -> Response:
        try:
            body = await read_body(request, self._config.max_body_bytes)
            answer = await remote_read(body, self._config.max_body_bytes, self._ask)
        except (BadParameter, QuerySyntaxError) as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        except BodyTooLarge as error:
            return PlainTextResponse(f"{error}\n", status_code=413)
        except MetaFlowError as error:
            return PlainTextResponse(f"{error}\n", status_code=500)
        if answer.frames is not None:
            return StreamingResponse(answer.frames, media_type=answer.content_type)
        return Response(answer.body, media_type=answer.content_type, headers={"Content-Encoding": "snappy"})


async def _described(request: Request) -> Response:
    del request
    return JSONResponse(openapi(_VERSION))


async def _alive(request: Request) -> Response:
    del request
    return PlainTextResponse("MetaFlow answers.\n")


async def _not_found(request: Request, error: Exception) -> Response:
    del error
    body = {"status": "error", "errorType": "not_found", "error": f"there is nothing at {request.url.path}"}
    return JSONResponse(body, status_code=404)


def _answer(result: QueryResult, moment: int, limit: int) -> Response:
    data, cut = result_json(result, moment, limit)
    infos = [each for each in result.warnings if each.startswith("PromQL info")]
    warnings = [each for each in result.warnings if each not in infos]
    return written(data, [*warnings, _CUT] if cut else warnings, infos)


def _cut(found: list[Any], limit: int) -> Response:
    return success(found[:limit], [_CUT]) if limit and len(found) > limit else success(found)


def _unescaped(name: str) -> str:
    """A name in the "values" escaping (``U__`` and code points between underscores) as it is."""
    import re

    if not name.startswith("U__"):
        return name

    def plain(found: re.Match[str]) -> str:
        return "_" if found.group() == "__" else chr(min(int(found.group(1), 16), 0x10FFFF))

    return re.sub(r"__|_([0-9A-Fa-f]{1,6})_", plain, name[3:])
