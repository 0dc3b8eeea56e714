"""``GET /v1/doctor``: what the plugins find when they look at the machine that this process runs on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from metaflow_core.api import BuildContext, FindingState, Surroundings
from metaflow_querier.config import QuerierConfig
from metaflow_querier.http.errors import error_response

__all__ = ["Doctor"]

_KEPT_S = 5.0


class Doctor:
    """Runs every examination in a thread, one round at a time; a round's answer is good for five seconds."""

    def __init__(self, context: BuildContext, config: QuerierConfig) -> None:
        self._context = context
        self._config = config
        self._lock = asyncio.Lock()
        self._answer: dict[str, Any] = {}
        self._at = -_KEPT_S

    async def __call__(self, request: Request) -> Response:
        """Answers a request."""
        app: Any = self._context.services.get("app")
        if app is None:
            return error_response(503, "no-app", "the querier runs in no app, so there is nothing to look at")
        async with self._lock:
            if time.monotonic() - self._at >= _KEPT_S:
                self._answer = await asyncio.to_thread(self._look, app, request.url.port or 0)
                self._at = time.monotonic()
        return JSONResponse(self._answer)

    def _look(self, app: Any, port: int) -> dict[str, Any]:
        from metaflow_core.hooks.examine import examine

        token = self._config.token.get_secret_value() if self._config.token is not None else ""
        # an app that keeps nothing is asked about the place where it would begin to
        data_dir = app.config.service.data_dir or Path.cwd()
        surroundings = Surroundings(data_dir=data_dir, port=port or 80, token=token)
        found = examine(app.host, surroundings)
        counts = {state.value: sum(each.finding.state is state for each in found) for state in FindingState}
        return {"counts": counts, "findings": [dict(each.document()) for each in found]}
