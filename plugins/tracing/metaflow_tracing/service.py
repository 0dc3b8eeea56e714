"""The service: three applications over one way of finding traces."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import BuildContext, Resource, Route
from metaflow_tracing.config import TracingConfig
from metaflow_tracing.http.answering import Answering
from metaflow_tracing.http.jaeger import jaeger_application
from metaflow_tracing.http.own import own_application
from metaflow_tracing.http.tempo import tempo_application

__all__ = ["TracingService"]


class TracingService:
    """Answers for the app that it runs in; the querier mounts its routes."""

    def __init__(self, context: BuildContext, config: TracingConfig) -> None:
        answering = Answering(context, config)
        self._routes = [
            Route(
                path="/v1/trace",
                app=own_application(answering),
                summary="Traces with the evidence of every edge: /v1/trace/ID",
            ),
            Route(
                path=config.tempo_prefix,
                app=tempo_application(answering),
                summary="Tempo's API, version 1 and 2: a base URL for Grafana",
            ),
            Route(
                path=config.jaeger_prefix,
                app=jaeger_application(answering),
                summary="Jaeger's query API: a base URL for Grafana",
            ),
        ]

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def resources(self) -> Iterable[Resource]:
        """No port of its own."""
        return ()

    def routes(self) -> Iterable[Route]:
        """The three applications."""
        return list(self._routes)
