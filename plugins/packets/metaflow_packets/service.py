"""The service: ``GET /v1/packets?flow_id=N`` gives a capture file, of this machine or of the agent that saw the flow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from metaflow_core.api import Answer, BuildContext, Peer, Resource, Route
from metaflow_core.errors import MetaFlowError, QueryError, UnavailableError
from metaflow_packets.agents import KIND, AgentPackets, Asked, told
from metaflow_packets.config import PacketsConfig
from metaflow_packets.files import listed
from metaflow_packets.finding import Flow, Found, find, kept_since_s, why_none
from metaflow_packets.rows import flow_number, look_up

__all__ = ["PacketsService"]

_MEDIA = "application/vnd.tcpdump.pcap"
_SEARCHES = 2
"""At once: each reads all files that a flow may be in."""
_QUESTIONS = 4
"""To agents at once: each holds an answer in memory."""
_NOT_KEPT = "no packets are kept here, and no agent is known that keeps some; start with --keep-packets headers (mflow up, mflow agent)"


class PacketsService:
    """Answers for the app that it runs in; the querier mounts its route, and asks for its token before."""

    def __init__(self, context: BuildContext, config: PacketsConfig) -> None:
        self._context = context
        self._config = config
        self._searching = asyncio.Semaphore(_SEARCHES)
        self._asking = asyncio.Semaphore(_QUESTIONS)
        self._agents = AgentPackets(context)

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

    def answers(self) -> Collection[str]:
        """What a server may ask of this machine; see :class:`metaflow_core.api.Answerer`."""
        return (KIND,) if self._folder is not None else ()

    async def answer(self, kind: str, asked: Mapping[str, Any], max_bytes: int) -> Answer:
        """The packets of a flow that this machine keeps, for a server.

        :raises InputError: it is no question about a flow. :raises QueryError: no packets are kept here.
        """
        folder = self._folder
        if folder is None:
            raise QueryError(_NOT_KEPT)
        flow = Flow.from_json(asked)
        found = await self._find(folder, flow, min(max_bytes, self._config.max_mib << 20))
        return told(found, "" if found.packets else await asyncio.to_thread(why_none, folder, flow))

    @property
    def _folder(self) -> Path | None:
        folder = self._config.path
        return folder if folder is not None and folder.is_dir() else None

    async def _find(self, folder: Path, flow: Flow, max_bytes: int) -> Found:
        """Look through the store; whoever is cancelled ends the thread too."""
        unwanted = threading.Event()
        async with self._searching:
            try:
                found = await asyncio.to_thread(find, folder, flow, max_bytes, lambda: not unwanted.is_set())
            finally:
                unwanted.set()
        self._context.counters.add("found", found.packets, unit="packets")
        return found

    async def _respond(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "method", f"{request.method} is not for {request.url.path}; allowed: GET")
        folder, peers = self._folder, self._agents.peers()
        if folder is None and not peers:
            return _refusal(404, "not-kept", _NOT_KEPT)
        asked = request.query_params.get("flow_id")
        if asked is None:
            return JSONResponse(await asyncio.to_thread(_about, folder, [peer for _, peer in peers]))
        try:
            number = flow_number(asked)
            looked_up = await look_up(self._ask, number)
        except ValueError as error:
            return _refusal(400, "flow-id", str(error))
        except MetaFlowError as error:
            return _refusal(503, error.code, f"the flow cannot be looked up: {error}")
        if looked_up is None:
            return _refusal(
                404, "no-such-flow", f"no row has flow_id {number}; one that began a moment ago may have none yet"
            )
        try:
            found, why, agent = await self._packets(folder, *looked_up)
        except UnavailableError as error:
            return _refusal(503, "agent-away", str(error))
        except QueryError as error:
            return _refusal(404, "no-packets", str(error))
        return _capture(number, found, agent) if found.packets else _refusal(404, "no-packets", why)

    async def _packets(self, folder: Path | None, flow: Flow, agent: int) -> Asked:
        """:raises UnavailableError: the agent is not there. :raises QueryError: nobody keeps them."""
        if agent:
            config = self._config
            async with self._asking:
                return await self._agents.ask(flow, agent, config.agent_mib << 20, config.agent_timeout_s)
        if folder is None:
            raise QueryError(_NOT_KEPT)
        found = await self._find(folder, flow, self._config.max_mib << 20)
        return found, "" if found.packets else await asyncio.to_thread(why_none, folder, flow), ""

    async def _ask(self, sql: str) -> Sequence[Mapping[str, Any]]:
        app: Any = self._context.services.get("app")
        if app is None:
            raise MetaFlowError("the service runs in no app, so there is nothing to ask")
        result = await app.query(self._config.dialect, sql, timeout_s=30.0)
        rows: Sequence[Mapping[str, Any]] = result.table.to_pylist()
        return rows


def _about(folder: Path | None, peers: Sequence[Peer]) -> dict[str, Any]:
    files = listed(folder) if folder is not None else []
    return {
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "since": kept_since_s(folder) if folder is not None else None,
        "directory": str(folder) if folder is not None else None,
        "agents": [{"id": peer.id, "name": peer.name, "can_be_asked": peer.is_there} for peer in peers],
    }


def _capture(number: int, found: Found, agent: str) -> Any:
    from starlette.responses import Response

    headers = {
        "content-disposition": f'attachment; filename="flow-{number}.pcap"',
        "x-metaflow-packets": str(found.packets),
        "x-metaflow-left-out": str(found.left_out),
        # a machine may call itself anything
        **({"x-metaflow-agent": quote(agent)} if agent else {}),
    }
    return Response(found.pcap, headers=headers, media_type=_MEDIA)


def _refusal(status: int, code: str, sentence: str) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"OPT_STATUS": "FAILED", "DESCRIPTION": sentence, "error": code}, status)
