"""The server asks an agent: what comes back, and what happens when something does not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from link_peers import Agent, Server, batch, running, until
from metaflow_link.agent.config import SenderConfig
from metaflow_link.agent.forwarder import Forwarder
from metaflow_link.wire.messages import QUESTIONS, messages

from metaflow_core.api import Answer, Answerer, Asker
from metaflow_core.errors import InputError, QueryError, UnavailableError, UnsupportedQuery


class Echo:
    """Answers with what it was asked, many times over. :ivar held: clear it and answers wait."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.held.set()
        self.working = self.cancelled = 0

    def answers(self) -> Collection[str]:
        return ("echo", "wrong", "broken")

    async def answer(self, kind: str, asked: Mapping[str, Any], max_bytes: int) -> Answer:
        if kind == "wrong":
            raise InputError("that cannot be asked")
        if kind == "broken":
            raise ZeroDivisionError
        self.working += 1
        try:
            await self.held.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.working -= 1
        return Answer({"said": asked["say"], "max_bytes": max_bytes}, str(asked["say"]).encode() * asked["times"])


def asked_agent(folder: Path, server: str, echo: Echo, **options: Any) -> Agent:
    """An agent in whose app the echo runs."""
    agent = Agent(folder, server, **options)
    context = dataclasses.replace(agent.context, services={"services": {"echo": echo}})
    quick = {"server": server, "retry_s": 0.05, "retry_most_s": 0.2, "flush_s": 0}
    agent.forwarder = Forwarder(context, SenderConfig(**{**quick, **options}))
    return agent


async def ready(server: Server) -> str:
    """The agent's id, once it can be asked."""
    await until(lambda: any(peer.is_there for peer in server.receiver.peers()))
    [peer] = server.receiver.peers()
    return peer.id


async def ask(server: Server, peer: str, kind: str = "echo", **more: Any) -> Answer:
    options = {"max_bytes": 1 << 20, "timeout_s": 30.0, **{name: more.pop(name) for name in list(more) if name in ("max_bytes", "timeout_s")}}  # fmt: skip
    return await server.receiver.ask(peer, kind, {"say": "x", "times": 1, **more}, **options)


async def test_an_answer_of_any_size(tmp_path: Path) -> None:
    server, echo = Server(tmp_path / "s"), Echo()
    async with running(server), running(asked_agent(tmp_path / "a", server.address, echo)):
        assert isinstance(server.receiver, Asker)
        assert isinstance(echo, Answerer)
        peer = await ready(server)
        for times in (0, 1, 262_144, 262_145, 1 << 20):
            answer = await ask(server, peer, times=times)
            assert answer == Answer({"said": "x", "max_bytes": 1 << 20}, b"x" * times)


async def test_what_cannot_be_answered_is_a_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server), running(asked_agent(tmp_path / "a", server.address, Echo())):
        peer = await ready(server)
        with pytest.raises(QueryError, match="says: that cannot be asked"):
            await ask(server, peer, "wrong")
        with pytest.raises(QueryError, match="looking for the answer failed: ZeroDivisionError"):
            await ask(server, peer, "broken")
        with pytest.raises(UnsupportedQuery, match="nothing that runs here answers questions about weather"):
            await ask(server, peer, "weather")
        with pytest.raises(QueryError, match="more than 1000 bytes"):
            await ask(server, peer, times=1001, max_bytes=1000)
        with pytest.raises(UnavailableError, match="agent nobody is not connected now"):
            await ask(server, "nobody")
        assert (await ask(server, peer, times=3)).data == b"xxx", "the call outlives all of them"


async def test_a_late_answer_is_withdrawn(tmp_path: Path) -> None:
    server, echo = Server(tmp_path / "s"), Echo()
    async with running(server), running(asked_agent(tmp_path / "a", server.address, echo)):
        peer = await ready(server)
        echo.held.clear()
        with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
            await ask(server, peer, timeout_s=0.2)
        await until(lambda: echo.cancelled == 1 and not echo.working)
        waiting = asyncio.create_task(ask(server, peer))
        await until(lambda: echo.working)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await until(lambda: echo.cancelled == 2)
        echo.held.set()
        assert (await ask(server, peer)).data == b"x"


async def test_one_question_at_a_time(tmp_path: Path) -> None:
    server, echo = Server(tmp_path / "s"), Echo()
    async with running(server), running(asked_agent(tmp_path / "a", server.address, echo)):
        peer = await ready(server)
        echo.held.clear()
        asked = [asyncio.create_task(ask(server, peer, say=str(number))) for number in range(5)]
        await until(lambda: echo.working)
        await asyncio.sleep(0.1)
        assert echo.working == 1
        echo.held.set()
        assert [(await each).data for each in asked] == [b"0", b"1", b"2", b"3", b"4"]


async def test_an_agent_that_goes_away_is_not_waited_for(tmp_path: Path) -> None:
    server, echo = Server(tmp_path / "s"), Echo()
    async with running(server):
        async with running(asked_agent(tmp_path / "a", server.address, echo)):
            peer = await ready(server)
            echo.held.clear()
            asked = asyncio.create_task(ask(server, peer))
            await until(lambda: echo.working)
        with pytest.raises(UnavailableError, match="went away before it answered"):
            await asyncio.wait_for(asked, 20)
        await until(lambda: not server.receiver.peers()[0].is_there)
        with pytest.raises(UnavailableError, match="is not connected now"):
            await ask(server, peer)
        echo.held.set()
        async with running(asked_agent(tmp_path / "a", server.address, echo)):
            assert await ready(server) == peer
            assert (await ask(server, peer)).data == b"x"


async def test_a_server_that_stops_ends_its_questions(tmp_path: Path) -> None:
    server, echo = Server(tmp_path / "s"), Echo()
    await server.start()
    async with running(asked_agent(tmp_path / "a", server.address, echo)):
        peer = await ready(server)
        echo.held.clear()
        asked = asyncio.create_task(ask(server, peer))
        await until(lambda: echo.working)
        await asyncio.wait_for(server.stop(), 20)
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(asked, 20)
        await until(lambda: not echo.working)


async def test_slow_storages_hold_up_no_answer(tmp_path: Path) -> None:
    """And rows travel while an answer is on its way."""
    server, echo = Server(tmp_path / "s", window_batches=2), Echo()
    async with running(server):
        agent = asked_agent(tmp_path / "a", server.address, echo)
        async with running(agent):
            peer = await ready(server)
            server.hold.clear()
            for number in range(10):
                await agent.forwarder.write(batch(number))
            await until(lambda: server.waiting == 2)
            assert (await ask(server, peer, times=1 << 20)).data == b"x" * (1 << 20)
            server.hold.set()
            await agent.empty()


async def test_an_agent_that_may_not_be_asked(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = asked_agent(tmp_path / "a", server.address, Echo(), answers=False)
        async with running(agent):
            await agent.forwarder.write(batch(1))
            await agent.empty()
            [peer] = server.receiver.peers()
            assert not peer.is_there
            with pytest.raises(UnavailableError):
                await ask(server, peer.id)


async def test_the_token_is_asked_for_here_too(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", token="secret")
    async with running(server), grpc.aio.insecure_channel(server.address) as channel:
        for metadata in ((), (("authorization", "Bearer wrong"),)):
            call = channel.stream_stream(QUESTIONS)(metadata=metadata)
            await call.write(messages()["Reply"](ready={"agent_id": "a"}).SerializeToString())
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        agent = asked_agent(tmp_path / "a", server.address, Echo(), token="secret")
        async with running(agent):
            assert (await ask(server, await ready(server))).data == b"x"


async def test_over_tls(tmp_path: Path, certificates: Path) -> None:
    pair = {"tls_cert": certificates / "server.pem", "tls_key": certificates / "server.key"}
    server = Server(tmp_path / "s", tls_client_ca=certificates / "ca.pem", **pair)
    mine = {"tls_cert": certificates / "agent.pem", "tls_key": certificates / "agent.key"}
    async with running(server):
        agent = asked_agent(tmp_path / "a", server.address, Echo(), tls_ca=certificates / "ca.pem", **mine)
        async with running(agent):
            assert (await ask(server, await ready(server), times=500_000)).data == b"x" * 500_000


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([{"data": b"x" * 700}, {"data": b"y" * 700, "is_last": True}], "more than the 1000 bytes"),
        ([{"is_last": True, "about": "{" * 9}], "cannot be read"),
        ([{"is_last": True, "about": "[]"}], "cannot be read"),
        ([{"is_last": True, "about": "[" * 60_000}], "cannot be read"),
        ([{"number": 77, "is_last": True}, {"number": 0, "data": b"z" * 5000}], "did not answer within"),
        ([{"is_last": True, "error": "no" * 900_000}], "says: nono"),
    ],
)
async def test_an_agent_that_answers_nonsense(tmp_path: Path, parts: list[dict[str, Any]], said: str) -> None:
    server = Server(tmp_path / "s")
    async with running(server), grpc.aio.insecure_channel(server.address) as channel:
        call = channel.stream_stream(QUESTIONS)()
        reply = messages()["Reply"]
        await call.write(reply(ready={"agent_id": "liar"}).SerializeToString())
        await until(lambda: server.receiver._questions.can_ask("liar"))
        asked = asyncio.create_task(ask(server, "liar", max_bytes=1000, timeout_s=3))
        question = messages()["Question"].FromString(await call.read())
        for part in parts:
            await call.write(reply(part={"number": question.number, **part}).SerializeToString())
        with pytest.raises((QueryError, UnavailableError), match=said) as caught:
            await asked
        assert len(str(caught.value)) < 1200


async def test_bytes_that_are_no_reply_end_the_call(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", hello_s=0.3)
    async with running(server), grpc.aio.insecure_channel(server.address) as channel:
        for first in (b"\xff\xff\xff", messages()["Reply"](ready={"agent_id": "../x"}).SerializeToString(), None):
            call = channel.stream_stream(QUESTIONS)()
            if first is not None:
                await call.write(first)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_older_server_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_link.agent.answering.QUESTIONS", "/metaflow.agent.v1.Ingest/Unheard")
    server = Server(tmp_path / "s")
    async with running(server):
        agent = asked_agent(tmp_path / "a", server.address, Echo())
        async with running(agent):
            await agent.forwarder.write(batch(1))
            await agent.empty()
            assert not server.receiver.peers()[0].is_there


async def test_rows_carry_their_agent_and_its_number_is_kept(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        for name in ("a", "b"):
            agent = Agent(tmp_path / name, server.address)
            async with running(agent):
                await agent.forwarder.write(batch(1, batch_id=f"of-{name}"))
                await agent.empty()
        numbers = {each.data["agent_id"].to_pylist()[0] for each in server.batches}
        assert numbers == {1, 2}
        assert {peer.number for peer in server.receiver.peers()} == numbers
        names = [each for each in server.receiver.reported.names(0)[1] if each.dictionary == "agent"]
        assert {number for each in names for number in each.names} == numbers
    again = Server(tmp_path / "s", listen=server.address)
    async with running(again):
        agent = Agent(tmp_path / "b", again.address)
        async with running(agent):
            await agent.forwarder.write(batch(2))
            await agent.empty()
        assert again.batches[0].data["agent_id"].to_pylist() == [2] * 5
