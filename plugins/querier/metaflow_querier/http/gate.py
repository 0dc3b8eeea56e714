"""Before any route: who may ask, and how much is asked at once."""

from __future__ import annotations

import logging

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metaflow_core.api import Counters, is_bearer
from metaflow_querier.config import QuerierConfig
from metaflow_querier.http.errors import DEFECT, error_response

__all__ = ["Gate"]

_OPEN = frozenset({"/v1/health", "/v1/health/", "/v1/ready", "/v1/ready/"})
_LOGGER = logging.getLogger("metaflow.service.querier")


class Gate:
    """Checks the token, and turns what escapes from a route into a sentence.

    The probes of health and readiness need no token: they tell nothing of the data.
    """

    def __init__(self, app: ASGIApp, config: QuerierConfig, counters: Counters) -> None:
        self._app = app
        self._token = config.token
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            return
        self._counters.add("received", unit="requests")
        if self._token is not None and scope["path"] not in _OPEN and not self._is_allowed(scope):
            self._counters.add("refused", reason="token", unit="requests")
            said = "a token is needed: send the header 'Authorization: Bearer TOKEN'"
            refusal: Response = error_response(401, "unauthorized", said, {"www-authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            _LOGGER.exception("%s %s: a defect of MetaFlow.", scope["method"], scope["path"])
            self._counters.add("failed", reason="defect", unit="requests")
            if begun:
                raise
            await error_response(500, "internal", DEFECT)(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return self._token is not None and is_bearer(sent, self._token)
