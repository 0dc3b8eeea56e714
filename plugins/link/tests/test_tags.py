"""What taggers of agents know goes to the server, which tags their rows: names, entries, elections, restarts, nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from link_peers import Agent, Server, running, until
from metaflow_link.server.config import AgentTagsConfig
from metaflow_link.server.reported import Reported
from metaflow_link.server.stripping import stripped
from metaflow_link.server.tagger import AgentTagger
from metaflow_link.wire.knowledge import ENTRIES, Op, key_of, names_batch, ops_batch

from metaflow_core.api import Counters, Kind, RecordBatch, SystemClock
from metaflow_core.errors import ParseError
from metaflow_core.tagging import AddressTagger, Entry, Report, Section, network
from metaflow_core.testing import build_context

TABLE = "flow_log.l7_flow_log"
DICTIONARIES = frozenset({"pod", "host", "gprocess", "device", "pod_label", "process_tag"})
HASHED = (1 << 31) + 7


def pod(name: str, address: str, **more: Any) -> Entry:
    return Entry(
        section=Section.HOSTS,
        name=name,
        networks=(network(address),),
        dictionary="pod",
        type=10,
        attributes={"cluster": "shop", "namespace": "default"},
        tags={"pod_label": {"app": name}},
        **more,
    )


class Cluster(AddressTagger):
    """A tagger that speaks for a cluster, or stands by."""

    reign: int | None = None

    def report(self) -> Report:
        said = super().report()
        entries = said.entries if self.reign is not None else None
        return Report(said.version, entries, "kubernetes/shop", self.reign or 0)

    def speak(self, reign: int | None) -> None:
        self.reign = reign
        self.version += 1


def rows(*addresses: str, **more: Any) -> RecordBatch:
    count = len(addresses)
    columns = {
        "end_time": pa.array([1_700_000_000_000_000] * count, pa.int64()).cast(pa.timestamp("us", "UTC")),
        "ip4_1": pa.array([int(ip_address(each)) for each in addresses], pa.uint32()),
        "is_ipv4": pa.array([True] * count),
        "flow_id": pa.array(range(1, count + 1), pa.uint64()),
        **more,
    }
    return RecordBatch(TABLE, pa.record_batch(columns), "")


class Tagged(Server):
    """A server whose tagger sees what its receiver took."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        context = build_context(
            Kind.TAGGER, "metaflow", clock=SystemClock(), data_dir=folder, services={"collectors": {"m": self.receiver}}
        )
        self.tagger = AgentTagger(context, AgentTagsConfig())

    def pods(self) -> list[str]:
        """The pods on the rows that came, in their order."""
        found: list[str] = []
        for batch in self.batches:
            data = self.tagger.tag(batch).data
            names = self.names("pod")
            numbers = data["pod_id_1"].to_pylist() if "pod_id_1" in data.schema.names else [0] * data.num_rows
            found += [names.get(number, "") for number in numbers]
        return found

    def names(self, dictionary: str) -> dict[int, str]:
        found: dict[int, str] = {}
        for each in self.tagger.names(0)[1]:
            if each.dictionary == dictionary:
                found |= each.names
        return found


def agent(folder: Path, server: Server, *taggers: AddressTagger) -> Agent:
    made = Agent(folder, server.address)
    object.__setattr__(made.context, "services", {"taggers": {f"t{at}": each for at, each in enumerate(taggers)}})
    return made


@pytest.fixture
def made(tmp_path: Path) -> Any:
    def make(kind: type[AddressTagger] = AddressTagger, name: str = "t") -> Any:
        return kind(build_context(Kind.TAGGER, clock=SystemClock(), data_dir=tmp_path / f"tagger-{name}"))

    return make


async def test_a_cluster_is_told_once_and_tags_the_rows_of_all(tmp_path: Path, made: Any) -> None:
    server = Tagged(tmp_path / "server")
    elected, other = made(Cluster, "a"), made(Cluster, "b")
    elected.learn([pod("web", "10.0.0.1")])
    elected.speak(1)
    async with running(server):
        one, two = agent(tmp_path / "a", server, elected), agent(tmp_path / "b", server, other)
        async with running(one, two):
            await until(lambda: server.receiver.reported.version("kubernetes/shop") > 1)
            await until(lambda: len(server.receiver.reported._members) == 2)
            # the agent that stands by knows nothing itself, and its rows have the pod
            await two.forwarder.write(rows("10.0.0.1", "10.0.0.2"))
            await two.empty()
            assert server.pods() == ["web", ""]
            elected.revise([], [pod("db", "10.0.0.2")])
            await until(lambda: server.pods() == ["web", "db"])
            # the other one is elected: it has seen a cluster without "web"
            elected.speak(None)
            other.learn([pod("db", "10.0.0.2"), pod("new", "10.0.0.3")])
            other.speak(2)
            await two.forwarder.write(rows("10.0.0.3"))
            await until(lambda: server.pods() == ["web", "db", "new"])
            # what the one before still says does not count any more
            elected.learn([pod("wrong", "10.0.0.3")])
            elected.speak(1)
            await until(lambda: _counted(server, "refused", "reign_is_over"))
            assert server.pods() == ["web", "db", "new"]


async def test_what_was_learned_outlives_both_sides(tmp_path: Path, made: Any) -> None:
    server = Tagged(tmp_path / "server")
    elected = made(Cluster)
    elected.learn([pod("web", "10.0.0.1")])
    elected.speak(1)
    async with running(server):
        one = agent(tmp_path / "a", server, elected)
        async with running(one):
            await until(lambda: server.receiver.reported.version("kubernetes/shop") > 1)
    again = Tagged(tmp_path / "server")
    async with running(again):
        # the same agent, whose taggers know nothing yet
        one = agent(tmp_path / "a", again, made(Cluster))
        async with running(one):
            await one.forwarder.write(rows("10.0.0.1"))
            await one.empty()
            assert again.pods() == ["web"]


async def test_an_agents_own_taggers_are_about_its_own_rows(tmp_path: Path, made: Any) -> None:
    server = Tagged(tmp_path / "server")
    mine, yours = made(name="a"), made(name="b")
    mine.learn([pod("mine", "192.168.1.1")])
    yours.learn([pod("yours", "192.168.1.1")])
    async with running(server):
        one, two = agent(tmp_path / "a", server, mine), agent(tmp_path / "b", server, yours)
        async with running(one, two):
            await until(lambda: len(server.receiver.reported._sources) == 2)
            await one.forwarder.write(rows("192.168.1.1"))
            await one.empty()
            await two.forwarder.write(rows("192.168.1.1"))
            await two.empty()
            assert server.pods() == ["mine", "yours"]


async def test_numbers_of_an_agents_book_never_reach_the_store(tmp_path: Path, made: Any) -> None:
    """Each machine counts up its own: one agent's 65,536 is another thing than the next one's."""
    server = Tagged(tmp_path / "server")
    mine = made()
    mine.learn([pod("web", "10.0.0.1")])
    batch = mine.tag(rows("10.0.0.1", "10.0.0.9", gprocess_id_1=pa.array([HASHED, 0], pa.uint32())))
    assert batch.data["pod_id_1"].to_pylist()[0]
    async with running(server):
        one = agent(tmp_path / "a", server)
        async with running(one):
            await one.forwarder.learn("gprocess", {HASHED: "nginx/7", 65_536: "a number of the book"})
            await one.forwarder.write(batch)
            await one.empty()
            [came] = server.batches
            assert came.data["pod_id_1"].to_pylist() == [0, 0]
            assert came.data["auto_instance_type_1"].to_pylist()[0] == 255
            assert came.data["gprocess_id_1"].to_pylist() == [HASHED, 0]
            assert server.names("gprocess") == {HASHED: "nginx/7"}
    again = Tagged(tmp_path / "server")
    again.receiver.reported.open()
    assert again.names("gprocess") == {HASHED: "nginx/7"}


def test_the_internet_is_no_number_of_a_book() -> None:
    data = pa.record_batch({"l3_epc_id_1": pa.array([-2, 5, 0], pa.int32()), "other": [1, 2, 3]})
    assert stripped(data).to_pydict() == {"l3_epc_id_1": [-2, 0, 0], "other": [1, 2, 3]}


def _reported(folder: Path | None = None) -> Reported:
    return Reported(folder, Counters("test"), DICTIONARIES)


def _say(reported: Reported, agent_id: str, *ops: Op, now_ns: int = 10) -> None:
    reported.take(agent_id, ENTRIES, ops_batch(ops), now_ns)


def _put(entry: Entry, scope: str = "c", reign: int = 1) -> Op:
    key, text = key_of(entry)
    return Op("put", "k", scope, reign, key, text)


def _all(entries: Sequence[Entry], scope: str = "c", reign: int = 1) -> list[Op]:
    head = ("k", scope, reign)
    return [Op("begin", *head), *(_put(each, scope, reign) for each in entries), Op("whole", *head)]


def test_what_a_new_speaker_does_not_confirm_ends_and_keeps_its_past() -> None:
    reported = _reported()
    a, b = pod("a", "10.0.0.1"), pod("b", "10.0.0.2")
    _say(reported, "x", *_all([a, b]))
    _say(reported, "y", *_all([b], reign=2), now_ns=500)
    entries = {each.name: each.valid_to for each in reported.entries("c")[1]}
    assert entries == {"a": 500, "b": b.valid_to}
    _say(reported, "y", *_all([b], reign=2), now_ns=10 + 10**13)
    assert [each.name for each in reported.entries("c")[1]] == ["b"], "the past is forgotten after an hour"


def test_agents_outside_are_tagged_by_a_cluster_only_where_it_is_certain() -> None:
    reported = _reported()
    _say(reported, "in", *_all([pod("a", "10.0.0.1")], "east"))
    assert reported.scopes("outside") == ("east",)
    _say(reported, "in-too", *_all([pod("z", "10.0.0.1")], "west"))
    assert reported.scopes("outside") == ()
    assert (reported.scopes("in"), reported.scopes("in-too")) == (("east",), ("west",))


def test_nonsense_is_counted_and_good_things_beside_it_are_kept(tmp_path: Path) -> None:
    reported = _reported(tmp_path)
    good = pod("good", "10.0.0.1")
    bad = [
        Op("put", "k", "c", 1, "k1", "no json"),
        Op("put", "k", "c", 1, "k2", '{"section": "hosts", "networks": ["10.0.0.1/40"]}'),
        Op("put", "k", "c", 1, "k3", "[" * 100_000),
        Op("put", "k", "c", 1, "k4", '{"section": "hosts", "name": "x", "dictionary": "no_such"}'),
        Op("put", "k", "c", 1, "k5", '{"section": "hosts", "name": "x", "rank": true}'),
        Op("drop", "k", "c", 1, "never told", ""),
        Op("put", "k", "c", 7, *key_of(pod("early", "10.0.0.9"))),
    ]
    _say(reported, "x", Op("begin", "k", "c", 1), *bad, _put(good), Op("whole", "k", "c", 1))
    assert [each.name for each in reported.entries("c")[1]] == ["good"]
    with pytest.raises(ParseError, match="nothing that an agent says"):
        _say(reported, "x", Op("sing", "k", "c", 1))
    with pytest.raises(ParseError, match="columns of its own"):
        reported.take("x", ENTRIES, pa.record_batch({"a": [1]}), 1)
    reported.take("x", "names", names_batch("no_such", {HASHED: "n"}, None), 1)
    assert reported.names(0)[1] == ()
    file = tmp_path / "reported.jsonl"
    # killed while it wrote
    with file.open("ab") as sink:
        sink.write(b'["op", "x", 10, "put", "k", "c"')
    _say(_reported(tmp_path), "x", _put(pod("after", "10.0.0.2")))
    assert [each.name for each in _opened(tmp_path).entries("c")[1]] == ["good", "after"]


def test_the_journal_stays_as_large_as_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_link.server.journal._ROOM", 50)
    reported = _opened(tmp_path)
    _say(reported, "x", Op("member", "kubernetes/east"), *_all([pod("stays", "10.0.0.1")]))
    for number in range(300):
        passing = pod(f"p{number}", "10.0.0.2")
        _say(reported, "x", _put(passing))
        _say(reported, "x", Op("drop", "k", "c", 1, key_of(passing)[0]))
    assert len((tmp_path / "reported.jsonl").read_text().splitlines()) < 300
    again = _opened(tmp_path)
    assert [each.name for each in again.entries("c")[1]] == ["stays"]
    assert again.scopes("x") == ("c", "agent/x/kubernetes/east")
    _say(again, "x", _put(pod("more", "10.0.0.3")))
    assert len(again.entries("c")[1]) == 2, "its speaker still speaks"


def _opened(folder: Path) -> Reported:
    made = _reported(folder)
    made.open()
    return made


def _counted(server: Server, stage: str, reason: str) -> int:
    return sum(each.value for each in server.context.counters.samples() if (each.stage, each.reason) == (stage, reason))


def test_names_are_told_again_to_who_asks_too_late() -> None:
    """What was told is kept for a while only, and what is known in any case: a server runs for months."""
    reported = Reported(None, Counters("c"), DICTIONARIES)
    many = {HASHED + at: f"p{at}" for at in range(25_000)}
    reported.take("a", "names", names_batch("gprocess", many, 5), 1)
    position, _ = reported.names(0)
    assert len(reported._names) == 10_000
    assert reported.names(position) == (position, ())
    again: dict[int, str] = {}
    for each in reported.names(0)[1]:
        again |= each.names
    assert again == many
    reported.take("a", "names", names_batch("gprocess", {HASHED: "other"}, 6), 2)
    assert [dict(each.names) for each in reported.names(position)[1]] == [{HASHED: "other"}]


async def test_a_tagger_keeps_no_list_of_what_it_told(tmp_path: Path, made: Any) -> None:
    server = Tagged(tmp_path / "server")
    tagger = made()
    tagger.learn([pod("web", "10.0.0.1")])
    async with running(server):
        one = agent(tmp_path / "a", server, tagger)
        async with running(one):
            await one.forwarder.write(rows("10.0.0.1"))
            await one.empty()
            await until(lambda: server.pods() == ["web"])
            position, first = server.tagger.names(0)
            assert {"web"} <= {name for each in first for name in each.names.values()}
            assert server.tagger.names(position) == (position, ())
            for at in range(2, 6):
                before = server.tagger.version
                tagger.revise([], [pod(f"db{at}", f"10.0.0.{at}")])
                await until(lambda before=before: server.tagger.version > before)
                server.pods()
                position, fresh = server.tagger.names(position)
                told = {name for each in fresh if each.dictionary == "pod" for name in each.names.values()}
                assert told == {f"db{at}"}
            # a position that nobody remembers: all of it
            assert len(server.names("pod")) == 5
            known = {name for each in server.tagger.names(10**6)[1] for name in each.names.values()}
            assert {"web", "db2", "db5"} <= known


async def test_rows_without_a_batch_are_tagged_by_the_number_of_their_agent(tmp_path: Path, made: Any) -> None:
    """So are stored rows asked about when an agent's tagger has learnt more; the same address is another pod for another agent."""
    server = Tagged(tmp_path / "server")
    ours, theirs = made(name="a"), made(name="b")
    ours.learn([pod("ours", "10.0.0.1")])
    theirs.learn([pod("theirs", "10.0.0.1")])
    async with running(server):
        one, two = agent(tmp_path / "a", server, ours), agent(tmp_path / "b", server, theirs)
        async with running(one, two):
            for each in (one, two):
                await each.forwarder.write(rows("10.0.0.1"))
                await each.empty()
            await until(lambda: sorted(server.pods()) == ["ours", "theirs"])
            numbers = [batch.data["agent_id"][0].as_py() for batch in server.batches]
            names = server.pods()
            stored = rows(
                "10.0.0.1",
                "10.0.0.1",
                "10.0.0.9",
                "10.0.0.1",
                agent_id=pa.array([*numbers, numbers[0], 999], pa.uint16()),
            )
            data = server.tagger.tag(stored).data
            assert data["flow_id"].to_pylist() == [1, 2, 3, 4]
            assert [server.names("pod").get(number, "") for number in data["pod_id_1"].fill_null(0).to_pylist()] == [
                *names,
                "",
                "",
            ]
