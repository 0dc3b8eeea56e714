"""``/v1/agents``: the agents of this server, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from metaflow_core.api import BuildContext, Resource, Route
from metaflow_link.server.config import AgentsConfig

__all__ = ["AgentsService"]


class AgentsService:
    """Lists the agents of every receiver that runs in the app."""

    def __init__(self, context: BuildContext, config: AgentsConfig) -> None:
        self._context = context

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def resources(self) -> Iterable[Resource]:
        """Nothing of its own: a service with a port mounts the route."""
        return ()

    def routes(self) -> Iterable[Route]:
        """The list."""
        return (Route(path="/v1/agents", app=self._answer, summary="Agents: who they are, last seen, rows, losses"),)

    def rows(self) -> list[Mapping[str, Any]]:
        """Every agent."""
        collectors: Any = self._context.services.get("collectors", {})
        found: list[Mapping[str, Any]] = []
        for name, collector in collectors.items() if isinstance(collectors, Mapping) else ():
            tell = getattr(collector, "agents", None)
            if callable(tell):
                found.extend({"receiver": str(name), **row} for row in tell())
        return found

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application."""
        allowed = scope["method"] in ("GET", "HEAD")
        body = json.dumps(
            {"agents": self.rows()} if allowed else {"error": "the list of agents is read with GET"}
        ).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200 if allowed else 405, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
