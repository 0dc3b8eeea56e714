"""``GET /v1/tail``: rows as they are made, as server-sent events (WHATWG HTML, 9.2).

Each event is ``data: {"rows": [...], "skipped": n}``: at most so many rows a second are sent, the others are counted. A reader
that is slow loses the oldest rows, never the pipeline its pace. A comment every few seconds keeps proxies from giving up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from metaflow_core.api import BuildContext, RecordBatch
from metaflow_core.errors import MetaFlowError
from metaflow_querier.http.errors import error_response, of_error

__all__ = ["Tail"]

_MOST_TAILS = 8
_MOST_ROWS = 500
_USUAL_ROWS = 50
_EVERY_S = 0.25
_COMMENT_AFTER_S = 10.0
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    table: str
    condition: str
    columns: tuple[str, ...]
    rows_per_s: int


class Tail:
    """The endpoint: ``table`` (default ``l7_flow_log``), ``where``, ``columns`` (``a,b``), ``rows_per_s`` (1 to 500)."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._running = 0

    async def __call__(self, request: Request) -> Response:
        """Answers a request."""
        app: Any = self._context.services.get("app")
        if app is None:
            return error_response(503, "no-app", "the querier runs in no app, so no rows are made here")
        asked = request.query_params
        rate = asked.get("rows_per_s", str(_USUAL_ROWS))
        # int() also takes blanks and underscores.
        rows_per_s = int(rate) if rate.isascii() and rate.isdecimal() and len(rate) < 9 else 0
        if not 1 <= rows_per_s <= _MOST_ROWS:
            return error_response(400, "bad-request", f"'rows_per_s' is a whole number from 1 to {_MOST_ROWS}")
        columns = tuple(filter(None, asked.get("columns", "").split(",")))
        try:
            wanted = self._checked(asked.get("table", "l7_flow_log"), asked.get("where", ""), columns, rows_per_s)
        except MetaFlowError as error:
            return of_error(error)
        if self._running >= _MOST_TAILS:
            self._context.counters.add("refused", reason="busy", unit="queries")
            said = f"{self._running} pages are following already; close one of them"
            return error_response(503, "busy", said, {"retry-after": "5"})
        return StreamingResponse(self._follow(app, wanted), media_type="text/event-stream", headers=_HEADERS)

    def _checked(self, name: str, condition: str, columns: tuple[str, ...], rows_per_s: int) -> _Wanted:
        """Mistakes are found before anything is sent.

        :raises MetaFlowError: the table, the condition or a column is wrong.
        """
        table = self._context.catalog.table(name)
        wanted = _Wanted(table.name, condition, columns, rows_per_s)
        rows = self._rows(wanted, [])
        schema = rows.to_arrow().schema
        if columns:
            rows.select(*columns)
            missing = [column for column in columns if column not in schema.names]
            if missing:
                from metaflow_core.errors import UnsupportedQuery

                known = ", ".join(schema.names)
                raise UnsupportedQuery(f"{table.name} has no column {missing[0]!r}; it has {known}")
        return wanted

    def _rows(self, wanted: _Wanted, batches: Sequence[Any], limit: int | None = None) -> Any:
        from metaflow_core.sdk import Rows

        catalog = self._context.catalog
        rows = Rows(wanted.table, lambda: iter(batches), catalog, catalog.table(wanted.table))
        if wanted.condition:
            rows = rows.where(wanted.condition)
        return rows if limit is None else rows.head(limit)

    async def _follow(self, app: Any, wanted: _Wanted) -> AsyncIterator[bytes]:
        self._running += 1
        waiting: list[RecordBatch] = []
        taps = [app.tap(name, tables=(wanted.table,)) for name in app.config.pipelines]
        tasks = [asyncio.create_task(_collect(tap, wanted.table, waiting)) for tap in taps]
        per_turn = max(1, round(wanted.rows_per_s * _EVERY_S))
        said = time.monotonic()
        try:
            yield b": following\n\n"
            while not all(task.done() for task in tasks) or waiting:
                await asyncio.sleep(_EVERY_S)
                batches, waiting[:] = [each.data for each in waiting], []
                if batches:
                    event = await asyncio.to_thread(self._event, wanted, batches, per_turn)
                    if event:
                        said = time.monotonic()
                        yield event
                if time.monotonic() - said > _COMMENT_AFTER_S:
                    said = time.monotonic()
                    yield b": nothing new\n\n"
            yield b"event: end\ndata: {}\n\n"
        finally:
            self._running -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for tap in taps:
                with contextlib.suppress(RuntimeError):
                    await tap.aclose()

    def _event(self, wanted: _Wanted, batches: list[Any], most: int) -> bytes:
        kept = self._rows(wanted, batches)
        total = len(kept)
        if not total:
            return b""
        # the newest are what a person wants to see
        sent: list[dict[str, Any]] = []
        for row in kept:
            sent.append({name: _finite(row[name]) for name in wanted.columns or row})
            if len(sent) > most:
                sent.pop(0)
        document = {"rows": sent, "skipped": total - len(sent)}
        return b"data: " + json.dumps(document, ensure_ascii=False, default=_plain).encode() + b"\n\n"


async def _collect(tap: AsyncIterator[RecordBatch], table: str, waiting: list[RecordBatch]) -> None:
    async for batch in tap:
        if batch.table == table:
            waiting.append(batch)
            # a page that reads slowly: what it could never show is forgotten here
            del waiting[:-256]


def _finite(value: Any) -> Any:
    """Numbers that JSON has no form of as null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """What JSON has no form of: times as ISO 8601, bytes as hexadecimal."""
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)
