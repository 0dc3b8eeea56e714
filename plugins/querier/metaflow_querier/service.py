"""The service: a socket, a server on it, and the routes of the app behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metaflow_core.api import BuildContext, Resource, Route
from metaflow_querier.config import QuerierConfig, address
from metaflow_querier.http.application import Application
from metaflow_querier.http.gate import Gate
from metaflow_querier.http.mounts import Mounts
from metaflow_querier.server import Server

__all__ = ["QuerierService"]


class QuerierService:
    """Answers over HTTP for the app that it runs in.

    Mounts the routes of the app's other services, as far as the app offers them in ``context.services["services"]``.
    """

    def __init__(self, context: BuildContext, config: QuerierConfig) -> None:
        self._context = context
        self._config = config
        self._application = Application(context, config, self._others)
        self._server: Server | None = None

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
        if self._server is None:
            return ""
        scheme = "https" if self._config.tls_certificate is not None else "http"
        host, port = self._server.address
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def resources(self) -> Iterable[Resource]:
        """The port."""
        host, port = address(self._config.listen)
        return [Resource("tcp", f"{f'[{host}]' if ':' in host else host}:{port}")]

    def routes(self) -> Iterable[Route]:
        """Its own paths."""
        return self._application.routes()

    async def start(self) -> None:
        """Listens.

        :raises StartError: the port is taken, or the certificate cannot be read.
        """
        if self._server is not None:
            return
        gate = Gate(Mounts(self._application, self._others), self._config, self._context.counters)
        server = Server(gate, self._config)
        await server.start()
        self._server = server
        self._context.logger.info("Listening on %s.", self.url)

    async def stop(self) -> None:
        """Stops listening; questions that are being answered are given up. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
