"""The service: a socket, a server on it, and the routes of the app behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metaflow_core.api import BuildContext, HttpListener, Resource, Route, host_and_port, joined
from metaflow_querier.config import QuerierConfig
from metaflow_querier.http.application import Application
from metaflow_querier.http.gate import Gate
from metaflow_querier.http.mounts import Mounts

__all__ = ["QuerierService"]


class QuerierService:
    """Answers over HTTP for the app that it runs in.

    Mounts the routes of the app's other services, as far as the app offers them in ``context.services["services"]``.
    """

    def __init__(self, context: BuildContext, config: QuerierConfig) -> None:
        self._context = context
        self._config = config
        self._application = Application(context, config, self._others)
        self._listener: HttpListener | None = None

    def _others(self) -> Iterable[tuple[str, Route]]:
        """The routes of the app's other services, with the service's name, as they are now."""
        services: Any = self._context.services.get("services", {})
        if not isinstance(services, Mapping):
            return
        for name, service in services.items():
            if service is not self:
                yield from ((str(name), route) for route in service.routes())

    @property
    def url(self) -> str:
        """Where it listens; empty when it does not."""
        return "" if self._listener is None else self._listener.url

    def resources(self) -> Iterable[Resource]:
        """The port."""
        return [Resource("tcp", joined(*host_and_port(self._config.listen)))]

    def routes(self) -> Iterable[Route]:
        """Its own paths."""
        return self._application.routes()

    async def start(self) -> None:
        """Listens.

        :raises StartError: the port is taken, or the certificate cannot be read.
        """
        if self._listener is not None:
            return
        gate = Gate(Mounts(self._application, self._others), self._config, self._context.counters)
        listener = HttpListener(
            *host_and_port(self._config.listen),
            certificate=self._config.tls_certificate,
            key=self._config.tls_key,
            advice="choose another with 'listen'",
            name="querier",
        )
        await listener.start(gate)
        self._listener = listener
        self._context.logger.info("Listening on %s.", self.url)

    async def stop(self) -> None:
        """Stops listening; questions that are being answered are given up. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop()
