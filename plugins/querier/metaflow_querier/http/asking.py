"""``POST /v1/query``: one question, within its limits, given up when who asked goes away."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from metaflow_core.api import BuildContext, QueryResult
from metaflow_core.errors import MetaFlowError
from metaflow_querier.config import QuerierConfig
from metaflow_querier.http.answers import FORMATS, choose, render
from metaflow_querier.http.errors import error_response, of_error
from metaflow_querier.http.request import Asked, BadRequest, read_asked

__all__ = ["Asking"]

_CLIENT_GONE = 499
"""Nobody sees it; it is what other servers log for it."""


class Asking:
    """The endpoint."""

    def __init__(self, context: BuildContext, config: QuerierConfig) -> None:
        self._context = context
        self._config = config
        self._running = 0

    @property
    def running(self) -> int:
        """Questions that are being answered."""
        return self._running

    async def __call__(self, request: Request) -> Response:
        """Answers a request."""
        counters = self._context.counters
        try:
            asked = await read_asked(request, self._config.max_body_bytes)
        except BadRequest as error:
            counters.add("refused", reason=error.code, unit="queries")
            return error_response(error.status, error.code, str(error))
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)
        media = choose(request.headers.get("accept", ""), asked.format)
        if media is None:
            known = f"formats are {', '.join(FORMATS)}; media types {', '.join(FORMATS.values())}"
            return error_response(
                400 if asked.format else 406, "not-acceptable", f"the answer cannot be given in that form; {known}"
            )
        if self._running >= self._config.max_concurrent:
            counters.add("refused", reason="busy", unit="queries")
            said = f"{self._running} questions are being answered already; ask again in a moment"
            return error_response(503, "busy", said, {"retry-after": "1"})
        self._running += 1
        try:
            return await self._answer(request, asked, media)
        finally:
            self._running -= 1

    async def _answer(self, request: Request, asked: Asked, media: str) -> Response:
        counters = self._context.counters
        begun = time.monotonic()
        timeout_s = min(self._config.timeout_s, asked.timeout_s or self._config.timeout_s)
        question = asyncio.ensure_future(self._ask(asked, timeout_s))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait([question, gone], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not question.done():
                question.cancel()
        if not question.done():
            is_gone = gone.done() and not gone.cancelled()
            counters.add("cancelled", reason="client_gone" if is_gone else "timeout", unit="queries")
            if is_gone:
                return Response(status_code=_CLIENT_GONE)
            said = f"the question was not answered within {timeout_s:g} s; narrow the range of time, or allow more (timeout_s)"
            return error_response(504, "timeout", said)
        try:
            result = question.result()
        except MetaFlowError as error:
            counters.add("refused", reason=error.code, unit="queries")
            return of_error(error)
        counters.add("answered", result.table.num_rows, unit="rows")
        debug = {"seconds": round(time.monotonic() - begun, 6), "physical": result.physical} if asked.debug else None
        return await asyncio.to_thread(render, result, media, debug=debug)

    async def _ask(self, asked: Asked, timeout_s: float) -> QueryResult:
        app: Any = self._context.services.get("app")
        if app is None:
            raise MetaFlowError("the querier runs in no app, so there is nothing to ask")
        max_rows = min(self._config.max_rows, asked.max_rows or self._config.max_rows)
        # The app's own limit is a little later: ours tells the difference between a slow and a wrong question.
        result: QueryResult = await app.query(
            self._config.dialect, asked.sql, timeout_s=timeout_s + 5, max_rows=max_rows, **asked.params
        )
        return result


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone; the body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
