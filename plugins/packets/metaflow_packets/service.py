"""The service: ``GET /v1/packets?flow_id=N`` gives a capture file."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_core.api import BuildContext, Resource, Route
from metaflow_core.errors import MetaFlowError
from metaflow_packets.config import PacketsConfig
from metaflow_packets.files import listed
from metaflow_packets.finding import Flow, find, kept_since_s
from metaflow_packets.rows import flow_number, look_up

__all__ = ["PacketsService"]

_MEDIA = "application/vnd.tcpdump.pcap"
_SEARCHES = 2
"""At once: each reads all files that a flow may be in."""


class PacketsService:
    """Answers for the app that it runs in; the querier mounts its route, and asks for its token before."""

    def __init__(self, context: BuildContext, config: PacketsConfig) -> None:
        self._context = context
        self._config = config
        self._searching = asyncio.Semaphore(_SEARCHES)

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def resources(self) -> Iterable[Resource]:
        """No port of its own."""
        return ()

    def routes(self) -> Iterable[Route]:
        """Its path."""
        return [Route(path="/v1/packets", app=self._answer, summary="Packets of a flow as a capture file: ?flow_id=N")]

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import Request

        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Any) -> Any:
        from starlette.responses import JSONResponse, Response

        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "method", f"{request.method} is not for {request.url.path}; allowed: GET")
        folder = self._config.path
        if folder is None or not folder.is_dir():
            return _refusal(404, "not-kept", "no packets are kept here; start with mflow up --keep-packets headers")
        asked = request.query_params.get("flow_id")
        if asked is None:
            return JSONResponse(await asyncio.to_thread(_about, folder))
        try:
            number = flow_number(asked)
            flow = await look_up(self._ask, number)
        except ValueError as error:
            return _refusal(400, "flow-id", str(error))
        except MetaFlowError as error:
            return _refusal(503, error.code, f"the flow cannot be looked up: {error}")
        if flow is None:
            return _refusal(
                404, "no-such-flow", f"no row has flow_id {number}; one that began a moment ago may have none yet"
            )
        async with self._searching:
            found = await asyncio.to_thread(find, folder, flow, self._config.max_mib << 20)
        self._context.counters.add("found", found.packets, unit="packets")
        if not found.packets:
            return _refusal(404, "no-packets", await asyncio.to_thread(_why_none, folder, flow))
        headers = {
            "content-disposition": f'attachment; filename="flow-{number}.pcap"',
            "x-metaflow-packets": str(found.packets),
            "x-metaflow-left-out": str(found.left_out),
        }
        return Response(found.pcap, headers=headers, media_type=_MEDIA)

    async def _ask(self, sql: str) -> Sequence[Mapping[str, Any]]:
        app: Any = self._context.services.get("app")
        if app is None:
            raise MetaFlowError("the service runs in no app, so there is nothing to ask")
        result = await app.query(self._config.dialect, sql, timeout_s=30.0)
        rows: Sequence[Mapping[str, Any]] = result.table.to_pylist()
        return rows


def _about(folder: Path) -> dict[str, Any]:
    files = listed(folder)
    return {
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "since": kept_since_s(folder),
        "directory": str(folder),
    }


def _why_none(folder: Path, flow: Flow) -> str:
    since = kept_since_s(folder)
    if since is None:
        return "no packet is kept yet"
    kept = datetime.datetime.fromtimestamp(since, datetime.UTC).isoformat(sep=" ", timespec="seconds")
    if flow.to_ns / 1e9 < since:
        return f"the packets of {flow} are not kept any more: the oldest packet that is kept is of {kept}"
    return f"no packet of {flow} is kept; the oldest that is kept is of {kept}. What only processes (eBPF) saw has no packets"


def _refusal(status: int, code: str, sentence: str) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"OPT_STATUS": "FAILED", "DESCRIPTION": sentence, "error": code}, status)
