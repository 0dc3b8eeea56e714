"""Packets that agents keep: whom the server asks, what it believes, and what it says when there is nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from metaflow_packets.config import PacketsConfig
from metaflow_packets.finding import Flow
from metaflow_packets.service import PacketsService
from packets_of_shop import FLOW, keeper, shop_blocks

from metaflow_core.api import Answer, Answerer, Kind, Peer
from metaflow_core.errors import InputError, MetaFlowError, QueryError, UnavailableError, UnsupportedQuery
from metaflow_core.testing import build_context

ROW = {
    "agent_id": 7, "ip_0": "127.0.0.1", "ip_1": "127.0.0.1", "client_port": 56506, "server_port": 18080, "protocol": "TCP",
    "start_time": "2026-11-21 07:27:13", "end_time": "2026-11-21 07:27:15", "close_type": "forced_report",
}  # fmt: skip


class Agents:
    """Stands where the receiver of agents stands. :ivar by: what each agent answers or raises."""

    def __init__(self, by: Mapping[str, Any], there: bool = True) -> None:
        self._by = by
        self._there = there
        self.asked: list[tuple[str, Mapping[str, Any], int]] = []

    def peers(self) -> Sequence[Peer]:
        seen_ns = 1_700_000_000_000_000_000
        return [
            Peer(name, f"{name}\r\nevil: é", 6 + index, self._there, seen_ns) for index, name in enumerate(self._by)
        ]

    async def ask(self, peer: str, kind: str, asked: Mapping[str, Any], *, max_bytes: int, timeout_s: float) -> Answer:
        assert kind == "packets"
        self.asked.append((peer, asked, max_bytes))
        answer = self._by[peer]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Answer):
            return answer
        found: Answer = await answer.answer(kind, json.loads(json.dumps(asked)), max_bytes)
        return found


class Rows:
    """Stands where the app stands."""

    async def query(self, dialect: str, text: str, /, **params: Any) -> Any:
        class Result:
            table = type("Table", (), {"to_pylist": staticmethod(lambda: [ROW] if "l4_flow_log" in text else [])})

        return Result


def service(path: Path | None = None, agents: Agents | None = None, **options: Any) -> PacketsService:
    services: dict[str, Any] = {"app": Rows(), "collectors": {"metaflow": agents} if agents is not None else {}}
    context = build_context(Kind.SERVICE, "packets", services=services)
    return PacketsService(context, PacketsConfig(path=path, **options))


async def ask(one: PacketsService, query: str = f"flow_id={FLOW}") -> tuple[int, dict[str, str], bytes]:
    [route] = one.routes()
    told: dict[str, Any] = {"body": b""}

    async def send(message: Any) -> None:
        told.update({name: message[name] for name in ("status", "headers") if name in message})
        told["body"] += message.get("body", b"")

    scope = {"type": "http", "method": "GET", "path": "/v1/packets", "headers": [], "query_string": query.encode()}
    await route.app(scope, None, send)
    return told["status"], {name.decode(): value.decode() for name, value in told["headers"]}, told["body"]


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[PacketsService]:
    """An agent's service over a real store."""
    store = keeper(folder)
    await store.start()
    for block in shop_blocks():
        store.push(block)
    await store.stop()
    yield service(folder)


async def test_the_agent_that_saw_the_flow_is_asked(tmp_path: Path) -> None:
    async with kept(tmp_path) as agent:
        assert isinstance(agent, Answerer)
        assert list(agent.answers()) == ["packets"]
        agents = Agents({"other": QueryError("not me"), "mine": agent})
        status, headers, body = await ask(service(agents=agents, agent_mib=3))
        assert status == 200, body
        assert headers["x-metaflow-packets"] == "79"
        assert body[:4] == b"\x4d\x3c\xb2\xa1"
        assert unquote(headers["x-metaflow-agent"]) == "mine\r\nevil: é"
        [(peer, _, most)] = agents.asked
        assert (peer, most) == ("mine", 3 << 20)
        about = json.loads((await ask(service(agents=agents), ""))[2])
        assert [each["can_be_asked"] for each in about["agents"]] == [True, True]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (UnavailableError("agent web-1 did not answer within 30 s"), 503, "did not answer within"),
        (UnsupportedQuery("nothing that runs here"), 404, "start it with mflow agent --keep-packets headers"),
        (QueryError("agent web-1 says: no"), 404, "says: no"),
        (Answer({"packets": 0, "left_out": 0, "damaged": 0, "why": "no packet is kept yet"}), 404, "no packet is kept yet"),
        (Answer({"packets": 1, "left_out": 0, "damaged": 0}, b"<script>"), 404, "something that is no capture"),
        (Answer({"packets": "1", "left_out": 0, "damaged": 0}), 404, "something that is no capture"),
        (Answer({}), 404, "something that is no capture"),
    ],
)  # fmt: skip
async def test_an_agent_that_gives_none(answer: Any, status: int, said: str) -> None:
    found, _, body = await ask(service(agents=Agents({"first": answer, "web-1": answer})))
    assert found == status
    assert said in json.loads(body)["DESCRIPTION"]


async def test_an_agent_that_is_away_or_forgotten(tmp_path: Path) -> None:
    status, _, body = await ask(service(agents=Agents({"a": None, "b": None}, there=False)))
    assert status == 503
    assert "cannot be asked now (it was last heard of 2023-11-14 22:13:20+00:00)" in json.loads(body)["DESCRIPTION"]
    status, _, body = await ask(service(agents=Agents({"a": None})))
    assert status == 404
    assert "an agent that is not known any more (number 7)" in json.loads(body)["DESCRIPTION"]
    status, _, body = await ask(service())
    assert status == 404
    assert "no agent is known that keeps some" in json.loads(body)["DESCRIPTION"]


async def test_a_question_that_is_none_is_refused(tmp_path: Path) -> None:
    good = Flow("10.0.0.1", 1, "10.0.0.2", 2, 6).to_json()
    wrong: list[dict[str, Any]] = [
        {}, good | {"one_port": "1"}, good | {"one_port": 65_536}, good | {"protocol": -1}, good | {"from_ns": 1 << 63},
        good | {"to_ns": True}, good | {"one": "here"}, good | {"one": ["10.0.0.1"]}, good | {"other": "1" * 100_000},
    ]  # fmt: skip
    async with kept(tmp_path) as agent:
        for asked in wrong:
            with pytest.raises(InputError):
                await agent.answer("packets", asked, 1 << 20)
        answer = await agent.answer("packets", good, 1 << 20)
        assert answer.data == b""
        assert "no packet of TCP 10.0.0.1:1 - 10.0.0.2:2 is kept" in answer.about["why"]
    with pytest.raises(MetaFlowError):
        await service().answer("packets", good, 1 << 20)
    assert not service().answers()


async def test_bytes_and_cancelling(tmp_path: Path) -> None:
    async with kept(tmp_path) as agent:
        flow = Flow("127.0.0.1", 56_506, "127.0.0.1", 18_080, 6).to_json()
        small = await agent.answer("packets", flow, 2_000)
        assert 0 < small.about["packets"] < 79 or small.about["left_out"]
        assert len(small.data) <= 2_000
        working = asyncio.create_task(agent.answer("packets", flow, 1 << 20))
        await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert (await agent.answer("packets", flow, 1 << 20)).about["packets"] == 79
