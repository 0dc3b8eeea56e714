"""The service: a socket of its own, for ClickHouse's clients ask at the root of a port."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_clickhouse_http.config import ClickHouseHttpConfig, address
from metaflow_clickhouse_http.http.application import Application
from metaflow_clickhouse_http.server import Server
from metaflow_core.api import BuildContext, Resource, Route

__all__ = ["ClickHouseHttpService"]


class ClickHouseHttpService:
    """Answers ClickHouse's clients for the app that it runs in."""

    def __init__(self, context: BuildContext, config: ClickHouseHttpConfig) -> None:
        self._context = context
        self._config = config
        self._server: Server | None = None

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
        """Nothing under another's port."""
        return ()

    async def start(self) -> None:
        """Listens.

        :raises StartError: the port is taken, or the certificate cannot be read.
        """
        if self._server is not None:
            return
        server = Server(Application(self._context, self._config), self._config)
        await server.start()
        self._server = server
        self._context.logger.info("Listening for ClickHouse's clients on %s.", self.url)

    async def stop(self) -> None:
        """Stops listening; questions that are being answered are given up. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
