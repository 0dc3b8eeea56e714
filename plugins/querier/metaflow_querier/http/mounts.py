"""Sends a request to the service whose path it begins with, else to the querier's own routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from metaflow_core.api import Route

__all__ = ["Mounts"]


class Mounts:
    """Looks the routes up at each request, since services come and go with reloads.

    A mounted application sees its prefix at the end of ``root_path``, as ASGI has it.

    :param own: answers what no service has. :param others: names and routes of the services.
    """

    def __init__(self, own: ASGIApp, others: Callable[[], Iterable[tuple[str, Route]]]) -> None:
        self._own = own
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        path = scope.get("path", "")
        found: Route | None = None
        for _, route in self._others():
            prefix = route.path.rstrip("/")
            if (path == prefix or path.startswith(f"{prefix}/")) and (
                found is None or len(prefix) > len(found.path.rstrip("/"))
            ):
                found = route
        if found is None or (found.path == "/" and self._is_own(path)):
            await self._own(scope, receive, send)
            return
        prefix = found.path.rstrip("/")
        await found.app({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)

    @staticmethod
    def _is_own(path: str) -> bool:
        """A service at ``/`` (a user interface) does not hide the questions."""
        return path.startswith("/v1/") or path == "/openapi.json"
