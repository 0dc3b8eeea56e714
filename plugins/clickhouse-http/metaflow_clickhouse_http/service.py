"""The service: a socket of its own, for ClickHouse's clients ask at the root of a port."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_clickhouse_http.config import ClickHouseHttpConfig
from metaflow_clickhouse_http.http.application import Application
from metaflow_core.api import BuildContext, HttpListener, Resource, Route, host_and_port, joined

__all__ = ["ClickHouseHttpService"]


class ClickHouseHttpService:
    """Answers ClickHouse's clients for the app that it runs in."""

    def __init__(self, context: BuildContext, config: ClickHouseHttpConfig) -> None:
        self._context = context
        self._config = config
        self._listener: HttpListener | None = None

    @property
    def url(self) -> str:
        """Where it listens; empty when it does not."""
        return "" if self._listener is None else self._listener.url

    def resources(self) -> Iterable[Resource]:
        """The port."""
        return [Resource("tcp", joined(*host_and_port(self._config.listen)))]

    def routes(self) -> Iterable[Route]:
        """Nothing under another's port."""
        return ()

    async def start(self) -> None:
        """Listens.

        :raises StartError: the port is taken, or the certificate cannot be read.
        """
        if self._listener is not None:
            return
        listener = HttpListener(
            *host_and_port(self._config.listen),
            certificate=self._config.tls_certificate,
            key=self._config.tls_key,
            advice="choose another with 'listen'",
            name="clickhouse-http",
        )
        await listener.start(Application(self._context, self._config))
        self._listener = listener
        self._context.logger.info("Listening for ClickHouse's clients on %s.", self.url)

    async def stop(self) -> None:
        """Stops listening; questions that are being answered are given up. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop()
