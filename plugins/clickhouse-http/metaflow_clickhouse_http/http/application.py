"""An ASGI application that answers as a ClickHouse server does, of what reads only."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from metaflow_clickhouse_http.config import ClickHouseHttpConfig
from metaflow_clickhouse_http.http.errors import Refusal, of_error
from metaflow_clickhouse_http.http.native import with_revision
from metaflow_clickhouse_http.http.packing import PACKERS, choose
from metaflow_clickhouse_http.http.request import Asked, admit, read_asked
from metaflow_core.api import BuildContext, QueryResult
from metaflow_core.errors import MetaFlowError

__all__ = ["Application"]

_LOGGER = logging.getLogger("metaflow.service.clickhouse_http")
_GONE = 499
_KILL = re.compile(
    r"\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'([^'\\]{1,200})'\s*(?:SYNC|ASYNC|TEST)?\s*(?:FORMAT\s+\w+)?\s*;?\s*\Z",
    re.IGNORECASE,
)
_SESSION = re.compile(r"\s*(?:SET\s+\w+\s*=\s*[\w.'-]+|USE\s+[`\"]?\w+[`\"]?)\s*;?\s*\Z", re.IGNORECASE)
_TYPES = {
    "JSON": "application/json; charset=UTF-8", "CSV": "text/csv; charset=UTF-8; header=absent", "XML": "application/xml; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8", "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "Pretty": "text/plain; charset=UTF-8", "Vertical": "text/plain; charset=UTF-8", "Values": "text/plain; charset=UTF-8",
    "Markdown": "text/markdown; charset=UTF-8",
}  # fmt: skip
_PACK_FROM = 512


class Application:
    """Reads requests, asks the app in the dialect, answers; counts what it refuses."""

    def __init__(self, context: BuildContext, config: ClickHouseHttpConfig) -> None:
        self._context = context
        self._config = config
        self._running: dict[str, asyncio.Task[QueryResult]] = {}
        self._server: tuple[str, str, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self._context.counters.add("received", unit="requests")
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            response = await self._respond(request)
        except Refusal as error:
            self._context.counters.add("refused", reason=str(error.number), unit="queries")
            response = await self._refused(error)
        except ClientDisconnect:
            response = Response(status_code=_GONE)
        except Exception:
            _LOGGER.exception("%s %s: a defect of MetaFlow.", scope["method"], scope["path"])
            response = await self._refused(
                Refusal(1001, "the server failed on this request, which is a defect of MetaFlow", 500)
            )
        await response(scope, receive, watched)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/ping", "/replicas_status"):
            return Response(b"Ok.\n", media_type="text/plain; charset=UTF-8")
        if path != "/":
            raise Refusal(60, f"there is nothing at {path}; questions are asked at /", 404)
        if request.method not in ("GET", "HEAD", "POST", "OPTIONS"):
            raise Refusal(48, f"{request.method} is not taken; use GET or POST", 405)
        admit(request, self._config)
        asked = await read_asked(request, self._config)
        if not asked.text.strip():
            if request.method == "POST":
                raise Refusal(62, "Empty query")
            return Response(b"Ok.\n", media_type="text/html; charset=UTF-8")
        if found := _KILL.match(asked.text):
            return await self._kill(found.group(1), asked)
        if _SESSION.match(asked.text):
            # A setting or database for the rest of a session: there are no sessions, and what it would change is sent with each question.
            return await self._answered(b"", "TabSeparated", asked, request)
        return await self._ask(request, asked)

    async def _ask(self, request: Request, asked: Asked) -> Response:
        if len(self._running) >= self._config.max_concurrent:
            raise Refusal(202, f"{len(self._running)} questions are being answered already; ask again in a moment")
        if asked.query_id in self._running:
            raise Refusal(216, f"the query_id {asked.query_id!r} is in use by a question that is being answered", 500)
        task = asyncio.ensure_future(self._query(asked))
        self._running[asked.query_id] = task
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait([task, gone], timeout=self._config.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                if task.cancelled():
                    raise Refusal(394, "Query was cancelled")
                result = task.result()
            elif gone.done():
                self._context.counters.add("cancelled", reason="client_gone", unit="queries")
                return Response(status_code=_GONE)
            else:
                self._context.counters.add("cancelled", reason="timeout", unit="queries")
                raise Refusal(159, f"the question was not answered within {self._config.timeout_s:g} s")
        except MetaFlowError as error:
            raise of_error(error) from error
        finally:
            gone.cancel()
            if not task.done():
                task.cancel()
            self._running.pop(asked.query_id, None)
        form = str(result.table["form"][0])
        data = result.table["data"][0].as_buffer().to_pybytes()
        return await self._answered(data, form, asked, request)

    async def _query(self, asked: Asked) -> QueryResult:
        app: Any = self._context.services.get("app")
        if app is None:
            raise MetaFlowError("the interface runs in no app, so there is nothing to ask")
        result: QueryResult = await app.query(
            self._config.dialect,
            asked.text,
            timeout_s=self._config.timeout_s,
            max_rows=self._config.max_rows,
            raw="clickhouse",
            db=asked.database,
            form=asked.form,
            variables=asked.variables,
            settings=asked.settings,
            query_id=asked.query_id,
        )
        return result

    async def _answered(self, data: bytes, form: str, asked: Asked, request: Request) -> Response:
        if form == "Native" and asked.native_revision:
            data = await asyncio.to_thread(with_revision, data, asked.native_revision)
        headers = await self._headers(asked, form)
        encoding = choose(request.headers.get("accept-encoding", "")) if asked.packs else ""
        if encoding and len(data) >= _PACK_FROM:
            data = await asyncio.to_thread(PACKERS[encoding], data)
            headers["content-encoding"] = encoding
        self._context.counters.add("answered", len(data), unit="bytes")
        return Response(data, headers=headers, media_type=_media(form))

    async def _headers(self, asked: Asked, form: str) -> dict[str, str]:
        _, zone, name = await self._identity()
        summary = {"read_rows": "0", "read_bytes": "0", "written_rows": "0", "written_bytes": "0", "total_rows_to_read": "0",
                   "result_rows": "0", "result_bytes": "0", "elapsed_ns": "0"}  # fmt: skip
        return {
            "x-clickhouse-query-id": asked.query_id,
            "x-clickhouse-format": form,
            "x-clickhouse-timezone": zone,
            "x-clickhouse-server-display-name": name,
            "x-clickhouse-summary": json.dumps(summary, separators=(",", ":")),
        }

    async def _identity(self) -> tuple[str, str, str]:
        """Version, time zone and name of the engine; asked once."""
        if self._server is None:
            try:
                found = await self._query(Asked("SELECT version(), timezone(), displayName()", form="TabSeparated"))
            except MetaFlowError:
                return "0", "UTC", "MetaFlow"
            told: list[str] = bytes(found.table["data"][0].as_py()).decode().rstrip("\n").split("\t")
            version, zone, name = [*told, "", "", ""][:3]
            self._server = (version, zone, f"{name} (MetaFlow)")
        return self._server

    async def _refused(self, error: Refusal) -> Response:
        version, _, name = await self._identity() if error.number not in (516, 194) else ("0", "", "")
        headers = {"x-clickhouse-exception-code": str(error.number), "x-clickhouse-server-display-name": name}
        if error.status == 401:
            headers["www-authenticate"] = 'Basic realm="MetaFlow ClickHouse HTTP interface"'
        if error.number == 202:
            headers["retry-after"] = "1"
        return Response(error.text(version), error.status, headers, media_type="text/plain; charset=UTF-8")

    async def _kill(self, query_id: str, asked: Asked) -> Response:
        """KILL QUERY, of questions that were asked here."""
        task = self._running.get(query_id)
        if task is not None:
            task.cancel()
        line = f"finished\t{query_id}\t{self._config.user}\t\n" if task is not None else ""
        return Response(line, headers=await self._headers(asked, "TabSeparated"), media_type=_media("TabSeparated"))

    def running(self) -> Mapping[str, object]:
        """Questions that are being answered, by their query_id."""
        return dict(self._running)


def _media(form: str) -> str:
    return next((media for begin, media in _TYPES.items() if form.startswith(begin)), "application/octet-stream")


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone; the body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
