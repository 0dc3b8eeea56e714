"""An agent and a server in conversation, and everything that comes between them."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import grpc
import pytest
from link_peers import TABLE, Agent, Server, batch, running, until
from metaflow_link.wire.messages import METHOD, messages

from metaflow_core.api import RecordBatch
from metaflow_core.errors import StartError, StorageError


async def test_rows_arrive_and_the_spool_is_empty(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            for number in range(50):
                await agent.forwarder.write(batch(number))
            await agent.empty()
            assert server.ids == sorted(number * 1_000_000 + row for number in range(50) for row in range(5))
            assert all(each.batch_id.startswith(f"{agent.forwarder.agent_id}/b-") for each in server.batches)
            assert agent.counted("acknowledged") == 250
            assert (await agent.forwarder.health())["state"] == "ok"
            await until(lambda: server.agent["spool_batches"] == 0)
            seen = server.agent
            assert (seen["rows"], seen["batches"], seen["connected"]) == (250, 50, True)
            assert abs(seen["clock_offset_ns"]) < 5_000_000_000
            assert server.reports[-1] == ("running", "1 agent connected")
        await until(lambda: not server.agent["connected"])


async def test_batches_without_a_name_get_one(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.write(batch(1, batch_id=""))
            await agent.forwarder.write(batch(2, batch_id=""))
            await agent.empty()
            assert len({each.batch_id for each in server.batches}) == 2


async def test_agent_first_then_server(tmp_path: Path) -> None:
    """An agent starts without its server, spools, and sends everything when the server comes."""
    server = Server(tmp_path / "s")
    await server.start()
    address = server.address
    await server.stop()
    agent = Agent(tmp_path / "a", address)
    async with running(agent):
        for number in range(20):
            await agent.forwarder.write(batch(number))
        said = await agent.said("is away")
        assert address in said
        assert "wait in the spool" in said
        assert (await agent.forwarder.health())["spool_rows"] == 100
        later = Server(tmp_path / "s", listen=address)
        async with running(later):
            await agent.empty()
            assert len(later.ids) == 100


async def test_the_server_goes_and_comes(tmp_path: Path) -> None:
    """Nothing that the old server did not answer is lost; what it had stored is sent with its old id."""
    old = Server(tmp_path / "s")
    await old.start()
    agent = Agent(tmp_path / "a", old.address)
    async with running(agent):
        await agent.forwarder.write(batch(0))
        await agent.empty()
        old.hold.clear()
        for number in range(1, 30):
            await agent.forwarder.write(batch(number))
        await until(lambda: old.waiting == 29)
        address = old.address
        await old.stop()
        new = Server(tmp_path / "s", listen=address)
        async with running(new):
            await agent.empty()
            assert new.ids == sorted(number * 1_000_000 + row for number in range(1, 30) for row in range(5))
            assert new.agent["id"] == agent.forwarder.agent_id
            assert new.agent["registrations"] >= 2, "the list survived the restart"


async def test_an_agent_restarts_with_its_spool_and_its_id(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        server.hold.clear()
        first = Agent(tmp_path / "a", server.address)
        async with running(first):
            for number in range(10):
                await first.forwarder.write(batch(number))
            await until(lambda: server.waiting)
        second = Agent(tmp_path / "a", server.address)
        async with running(second):
            assert second.forwarder.agent_id == first.forwarder.agent_id
            server.hold.set()
            await second.empty()
        assert len(server.ids) == 50
        assert server.agent["registrations"] == 2


async def test_back_pressure_stays_within_the_window(tmp_path: Path) -> None:
    """A storage that does not take rows holds a bounded number of batches in flight; the rest waits on the agent's disk."""
    server = Server(tmp_path / "s", window_batches=4)
    async with running(server):
        server.hold.clear()
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            for number in range(100):
                await agent.forwarder.write(batch(number))
            await until(lambda: server.waiting == 4)
            await asyncio.sleep(0.3)
            assert server.waiting == 4
            assert (await agent.forwarder.health())["spool_batches"] == 100
            server.hold.set()
            await agent.empty()
            assert len(server.ids) == 500


async def test_a_window_of_bytes(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", window_bytes=1 << 16)
    async with running(server):
        server.hold.clear()
        agent = Agent(tmp_path / "a", server.address, packing="none")
        async with running(agent):
            for number in range(20):
                await agent.forwarder.write(batch(number, rows=1500))
            await until(lambda: server.waiting)
            await asyncio.sleep(0.3)
            assert 0 < server.waiting < 10
            server.hold.set()
            await agent.empty()
            assert len(server.ids) == 30_000


async def test_the_receiver_bounds_what_is_in_work(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", max_pending_bytes=1 << 20)
    async with running(server):
        server.hold.clear()
        agents = [Agent(tmp_path / f"a{number}", server.address, packing="none") for number in range(2)]
        async with running(*agents):
            for number in range(16):
                for place, agent in enumerate(agents):
                    await agent.forwarder.write(batch(place * 100 + number, rows=10_000))
            await until(lambda: server.waiting)
            await asyncio.sleep(0.3)
            assert server.waiting < 8, "about 200 kB each, 1 MiB in all"
            server.hold.set()
            for agent in agents:
                await agent.empty()
            assert len(server.ids) == 320_000


async def test_a_pipeline_that_fails_is_no_acknowledgement(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        server.fail = StorageError("the disk is full")
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.write(batch(1))
            assert "the disk is full" in await agent.said("not stored now")
            server.fail = None
            await agent.empty()
            assert len(server.ids) == 5


async def test_what_can_never_be_stored_is_refused_and_counted(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.write(RecordBatch("flow_log.of_the_future", batch(1).data, "one"))
            await agent.forwarder.write(batch(2, flow_id="no number"))
            await agent.forwarder.write(batch(3))
            await agent.empty()
            assert len(server.ids) == 5
            assert agent.counted("refused", "unknown_table", "batches") == 1
            assert agent.counted("refused", "malformed", "batches") == 1
            assert agent.counted("dropped", "refused_by_server") == 10
            assert server.agent["refused"] == 2


async def test_columns_of_a_newer_agent_are_left_out(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.write(batch(1, column_of_the_future="x"))
            await agent.empty()
        assert server.batches[0].data.schema.names == ["time_ns", "flow_id", "request_type"] or server.ids
        assert "column_of_the_future" not in server.batches[0].data.schema.names
        counted = {(each.reason, each.value) for each in server.context.counters.samples()}
        assert ("unknown_columns", 1) in counted


async def test_a_batch_too_large_for_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", max_batch_bytes=1 << 16)
    async with running(server):
        agent = Agent(tmp_path / "a", server.address, packing="none", max_batch_bytes=1 << 20)
        async with running(agent):
            await agent.forwarder.write(batch(1, rows=10_000))
            await agent.forwarder.write(batch(2))
            await agent.empty()
            assert len(server.ids) == 5
            assert agent.counted("dropped", "too_large_for_server") == 10_000


@pytest.mark.parametrize(
    ("token", "said"), [(None, "wants a token, and it has none"), ("other", "is not this server's")]
)
async def test_a_wrong_token_is_said_and_rows_are_kept(tmp_path: Path, token: str | None, said: str) -> None:
    server = Server(tmp_path / "s", token="secret")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address, token=token)
        async with running(agent):
            await agent.forwarder.write(batch(1))
            sentence = await agent.said("refuses this agent")
            assert said in sentence
            assert "secret" not in sentence
            assert not list(server.receiver.agents())
        right = Agent(tmp_path / "a", server.address, token="secret")
        async with running(right):
            await right.empty()
            assert len(server.ids) == 5


async def test_tls_with_certificates_of_both_sides(tmp_path: Path, certificates: Path) -> None:
    files = {"tls_cert": certificates / "server.pem", "tls_key": certificates / "server.key"}
    server = Server(tmp_path / "s", **files, tls_client_ca=certificates / "ca.pem")
    mine = {
        "tls_ca": certificates / "ca.pem",
        "tls_cert": certificates / "agent.pem",
        "tls_key": certificates / "agent.key",
    }
    async with running(server):
        agent = Agent(tmp_path / "a", server.address, **mine)
        async with running(agent):
            await agent.forwarder.write(batch(1))
            await agent.empty()
            assert len(server.ids) == 5
        nobody = Agent(tmp_path / "b", server.address, tls_ca=certificates / "ca.pem")
        async with running(nobody):
            await nobody.forwarder.write(batch(2))
            await until(lambda: any(state == "degraded" for state, _ in nobody.reports))
        strange = Agent(tmp_path / "c", server.address, **{**mine, "tls_ca": certificates / "stranger.pem"})
        async with running(strange):
            await strange.forwarder.write(batch(3))
            assert "certificate" in await strange.said("no TLS connection")
        plain = Agent(tmp_path / "d", server.address)
        async with running(plain):
            await plain.forwarder.write(batch(4))
            await until(lambda: any(state == "degraded" for state, _ in plain.reports))
        assert len(server.ids) == 5


async def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="tls_ca"):
        await Agent(tmp_path, "127.0.0.1:1", tls_ca=tmp_path / "none").forwarder.start()
    with pytest.raises(StartError, match="tls_key"):
        await Server(tmp_path, tls_cert=tmp_path / "none", tls_key=tmp_path / "none").start()


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        with pytest.raises(StartError, match="the port is taken"):
            await Server(tmp_path / "t", listen=server.address).start()


async def test_a_full_spool_keeps_the_newest_and_counts(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "a", "127.0.0.1:1", spool_bytes=1 << 16, segment_bytes=8192)
    async with running(agent):
        for number in range(500):
            await agent.forwarder.write(batch(number))
        lost = agent.counted("dropped", "spool_full")
        kept = (await agent.forwarder.health())["spool_rows"]
        assert lost > 0
        assert lost + kept == 2500
    server = Server(tmp_path / "s")
    async with running(server):
        again = Agent(tmp_path / "a", server.address)
        async with running(again):
            await again.empty()
        assert len(server.ids) == kept
        assert max(server.ids) == 499 * 1_000_000 + 4


async def test_a_damaged_spool_sends_what_is_good(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "a", "127.0.0.1:1", segment_bytes=4096)
    async with running(agent):
        for number in range(100):
            await agent.forwarder.write(batch(number))
    chance = random.Random(5)
    files = sorted((tmp_path / "a" / "spool").glob("*.spool"))
    for path in files[1:3]:
        data = bytearray(path.read_bytes())
        for _ in range(3):
            data[chance.randrange(20, len(data))] ^= 0x55
        path.write_bytes(data)
    server = Server(tmp_path / "s")
    async with running(server):
        again = Agent(tmp_path / "a", server.address)
        async with running(again):
            await again.empty()
            lost_bytes = again.counted("dropped", "spool_corrupt", "bytes")
            assert again.counted("dropped", "spool_corrupt") + lost_bytes > 0
        whole = {number for number in range(100) if {number * 1_000_000 + row for row in range(5)} <= set(server.ids)}
        assert len(server.ids) == 5 * len(whole), "a batch is there as a whole or not at all"
        assert 94 <= len(whole) < 100


async def test_two_forwarders_do_not_share_a_spool(tmp_path: Path) -> None:
    async with running(Agent(tmp_path / "a", "127.0.0.1:1")):
        with pytest.raises(StartError, match="in use by another"):
            await Agent(tmp_path / "a", "127.0.0.1:1").forwarder.start()


class Bare:
    """A peer that writes frames of its own."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        self.call = self.channel.stream_stream(METHOD)()

    async def send(self, **body: Any) -> None:
        await self.call.write(messages()["Frame"](**body).SerializeToString())

    async def end(self) -> tuple[grpc.StatusCode, str]:
        while True:
            try:
                if await self.call.read() is grpc.aio.EOF:
                    break
            except grpc.aio.AioRpcError:
                break
        found = await self.call.code(), await self.call.details()
        await self.channel.close()
        return found


HELLO = {"protocol": 1, "agent_id": "bare", "hostname": "h", "version": "9", "now_ns": 5}


async def test_versions_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        peer = Bare(server.address)
        await peer.send(hello={**HELLO, "protocol": 2})
        code, details = await peer.end()
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "speaks protocol 2, this server" in details
        assert details.endswith("bring both to one version, the server first")


@pytest.mark.parametrize("first", [{"report": {"now_ns": 1}}, {"hello": {**HELLO, "agent_id": "../../etc"}}, {}])
async def test_who_does_not_greet_is_sent_away(tmp_path: Path, first: dict[str, Any]) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        peer = Bare(server.address)
        await peer.send(**first)
        assert (await peer.end())[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_silence_and_noise(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", hello_s=0.2)
    async with running(server):
        assert "no hello within" in (await Bare(server.address).end())[1]
        noisy = Bare(server.address)
        await noisy.call.write(b"\xff\xff\xff")
        assert (await noisy.end())[0] is grpc.StatusCode.INVALID_ARGUMENT
        late = Bare(server.address)
        await late.send(hello=HELLO)
        await late.send(parcel={"sequence": 7, "batch": b"\xff\xff"})
        answers = [messages()["Answer"].FromString(await late.call.read()) for _ in range(2)]
        assert answers[1].refused[0].sequence == 7
        assert answers[1].refused[0].reason == "malformed"
        await late.channel.close()
        _, writer = await asyncio.open_connection("127.0.0.1", server.receiver.port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await writer.drain()
        writer.close()
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.write(batch(1))
            await agent.empty()
        assert len(server.ids) == 5


async def test_a_clock_that_is_wrong_is_seen_and_harms_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        clock = agent.context.clock
        jump = 0
        plain = clock.time_ns
        clock.time_ns = lambda: plain() + jump  # type: ignore[method-assign]
        async with running(agent):
            for jump in (0, 3600 * 10**9, -86_400 * 10**9):
                await agent.forwarder.write(batch(jump // 10**9 + 100_000))
                await agent.empty()
                await until(lambda expected=jump: abs(server.agent["clock_offset_ns"] - expected) < 5 * 10**9)
        assert len(server.ids) == 15
        assert abs(server.agent["last_seen_ns"] - plain()) < 60 * 10**9


async def test_many_agents_and_too_many(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", max_agents=2)
    async with running(server):
        agents = [Agent(tmp_path / f"a{number}", server.address) for number in range(3)]
        async with running(*agents[:2]):
            await until(lambda: sum(agent["connected"] for agent in server.receiver.agents()) == 2)
            async with running(agents[2]):
                assert "2 agents are connected already" in await agents[2].said("is away")


async def test_a_broken_list_of_agents_begins_anew(tmp_path: Path) -> None:
    for text in ("{", '{"agents": [{"id": "x", "rows": "many"}]}', '{"agents": 5}'):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        (folder / "agents.json").write_text(text)
        server = Server(folder)
        async with running(server):
            assert not list(server.receiver.agents())
    good = Server(tmp_path / "good")
    async with running(good):
        agent = Agent(tmp_path / "a", good.address)
        async with running(agent):
            await until(lambda: list(good.receiver.agents()))
    assert json.loads((tmp_path / "good" / "agents.json").read_text())["agents"][0]["id"] == agent.forwarder.agent_id


async def test_table_name_is_the_catalogues(tmp_path: Path) -> None:
    server = Server(tmp_path / "s")
    async with running(server):
        agent = Agent(tmp_path / "a", server.address)
        async with running(agent):
            await agent.forwarder.export(batch(1))
            await agent.empty()
        assert server.batches[0].table == TABLE
