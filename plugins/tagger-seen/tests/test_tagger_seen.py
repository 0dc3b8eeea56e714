"""Names come from answers and requests, hold from when they were seen, and are found in a store afterwards."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_tagger_seen.book import NameBook
from metaflow_tagger_seen.config import SeenTaggerConfig
from metaflow_tagger_seen.plugin import metaflow_taggers
from metaflow_tagger_seen.sightings import Sighting
from metaflow_tagger_seen.tagger import SeenTagger

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.sdk import SyncApp, read_pcap
from metaflow_core.testing import TaggerContract, build_context

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
LOG = "flow_log.l7_flow_log"
S = 1_000_000_000


class TestTagger(TaggerContract):
    factory = next(iter(metaflow_taggers()))


@pytest.fixture(scope="module")
def catalog() -> Any:
    """With the protocols of the installed parsers, DNS among them."""
    return read_pcap(CAPTURE).catalog


def tagger(catalog: Any, **options: Any) -> SeenTagger:
    context = dataclasses.replace(build_context(Kind.TAGGER, "seen"), catalog=catalog)
    return SeenTagger(context, SeenTaggerConfig(own_host=False, **options))


def test_a_name_of_now_makes_nobody_look_at_stored_rows_again(catalog: Any) -> None:
    """Live names are in force before rows that use them; what a capture of last week tells may be of stored rows."""
    seen = tagger(catalog)
    now = seen.context.clock.time_ns() // S
    seen.tag(rows(catalog, {"domain": "a.example", "result": "10.0.0.5", "dns": True, "at": now}))
    assert (seen.version, seen.reaching) == (1, 0)
    # another name for the address ends the first one, which is told with its end then
    later = {"domain": "b.example", "result": "10.0.0.5", "dns": True, "at": now + 1000}
    seen.tag(rows(catalog, later))
    assert (seen.version, seen.reaching) == (2, 0)
    seen.tag(rows(catalog, {"domain": "c.example", "result": "10.0.0.6", "dns": True, "at": now - 600}))
    assert (seen.version, seen.reaching) == (3, 1)


def rows(catalog: Any, *given: dict[str, Any]) -> RecordBatch:
    dns = catalog.enum("l7_protocol").value("DNS")
    made = [{"domain": "", "result": "", "dns": False, "ip": "10.0.0.9", "port": 80, "at": 0, **row} for row in given]
    addresses = [ipaddress.ip_address(row["ip"]) for row in made]
    data = {
        "start_time": pa.array([row["at"] * 1_000_000 for row in made], pa.timestamp("us", "UTC")),
        "end_time": pa.array([row["at"] * 1_000_000 for row in made], pa.timestamp("us", "UTC")),
        "l7_protocol": pa.array([dns if row["dns"] else 20 for row in made], pa.uint8()),
        "request_domain": pa.array([row["domain"] for row in made]).dictionary_encode(),
        "response_result": pa.array([row["result"] for row in made]),
        "ip4_0": pa.array([1] * len(made), pa.uint32()),
        "ip4_1": pa.array([int(a) if a.version == 4 else 0 for a in addresses], pa.uint32()),
        "ip6_0": pa.array([bytes(16)] * len(made), pa.binary(16)),
        "ip6_1": pa.array([a.packed if a.version == 6 else bytes(16) for a in addresses], pa.binary(16)),
        "is_ipv4": pa.array([a.version == 4 for a in addresses]),
        "protocol": pa.array([6] * len(made), pa.uint8()),
        "server_port": pa.array([row["port"] for row in made], pa.uint16()),
        "client_port": pa.array([5] * len(made), pa.uint16()),
    }
    return RecordBatch(LOG, pa.RecordBatch.from_pydict(data))


def named(made: SeenTagger, batch: RecordBatch, dictionary: str, column: str) -> list[str]:
    tagged = made.tag(batch).data
    if column not in tagged.schema.names:
        return [""] * tagged.num_rows
    names: dict[int, str] = {}
    for each in made.names(0)[1]:
        if each.dictionary == dictionary:
            names.update(each.names)
    return [names.get(number, "") for number in tagged.column(column).to_pylist()]


def test_an_address_is_called_what_it_was_looked_up_as(catalog: Any) -> None:
    made = tagger(catalog)
    answer = {
        "dns": True,
        "domain": "Bank.Shop.test.",
        "result": "cdn.x.test; 10.0.0.7, 2001:db8::7",
        "ip": "10.0.0.53",
        "port": 53,
        "at": 10,
    }
    batch = rows(
        catalog,
        {"ip": "10.0.0.7", "at": 5},
        answer,
        {"ip": "10.0.0.7", "at": 11},
        {"ip": "2001:db8::7", "at": 12},
        {"at": 13},
    )
    assert named(made, batch, "device", "auto_instance_id_1") == ["", "", "bank.shop.test", "bank.shop.test", ""]
    assert named(made, batch, "host", "host_id_1")[2] == "bank.shop.test"


def test_a_server_is_called_what_requests_call_it(catalog: Any) -> None:
    made = tagger(catalog)
    batch = rows(
        catalog,
        {"domain": "api.shop.test:8080", "port": 8080, "at": 1},
        {"domain": "10.0.0.9:81", "port": 81, "at": 1},
        {"domain": "[2001:db8::1]:82", "port": 82, "at": 1},
        {"domain": "<script>", "port": 83, "at": 1},
        {"port": 8080, "at": 2},
        {"port": 9090, "at": 2},
    )
    assert named(made, batch, "service", "service_id_1") == ["api.shop.test", "", "", "", "api.shop.test", ""]


def test_names_hold_at_the_rows_time(catalog: Any) -> None:
    made = tagger(catalog, hold_s=60)
    made.tag(rows(catalog, {"dns": True, "domain": "old.test", "result": "10.0.0.7", "at": 100}))
    made.tag(rows(catalog, {"dns": True, "domain": "other.test", "result": "10.0.0.7", "at": 130}))
    made.tag(rows(catalog, {"dns": True, "domain": "new.test", "result": "10.0.0.7", "at": 500}))
    batch = rows(catalog, *({"ip": "10.0.0.7", "at": at} for at in (99, 100, 131, 499, 500, 900)))
    found = named(made, batch, "device", "auto_instance_id_1")
    assert found == ["", "old.test", "old.test", "old.test", "new.test", "new.test"]


@pytest.mark.parametrize("result", ["0.0.0.0", "127.0.0.1", "::", "224.0.0.251", "not an address", "1.2.3", ""])
def test_what_names_nobody(catalog: Any, result: str) -> None:
    made = tagger(catalog)
    made.tag(rows(catalog, {"dns": True, "domain": "x.test", "result": result, "at": 1}))
    assert made.entries == 0


def test_names_are_bounded(catalog: Any) -> None:
    made = tagger(catalog, max_names=50)
    for start in range(0, 300, 30):
        made.tag(
            rows(
                catalog,
                *(
                    {"dns": True, "domain": f"n{n}.test", "result": f"10.1.{n // 250}.{n % 250}", "at": n}
                    for n in range(start, start + 30)
                ),
            )
        )
    assert made.entries == 50


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 1000), st.sampled_from(["10.0.0.1", "10.0.0.2"])), max_size=40
    )
)
@settings(max_examples=200, deadline=None)
def test_one_name_at_a_time(seen: list[tuple[str, int, str]]) -> None:
    book = NameBook(60 * S, 100)
    for name, at, address in sorted(seen, key=lambda each: each[1]):
        book.see(Sighting(address, 0, name, at * S))
    for address in ("10.0.0.1", "10.0.0.2"):
        spans = sorted((e.valid_from, e.valid_to) for e in book.entries() if str(e.networks[0]).startswith(address))
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_from_a_capture_into_a_store_by_name(tmp_path: Path) -> None:
    """The names stand in the store: asked in SQL, after the app that saw them has ended."""
    pytest.importorskip("chdb", reason="the embedded store is chDB")
    store = {"clickhouse": {"path": str(tmp_path / "store"), "retention": "forever"}}
    parsers = ["http", "redis", "mysql", "dns"]
    config: dict[str, Any] = {
        "collectors": {"pcap": {"files": [str(CAPTURE)]}},
        "engines": {"flow": {}},
        "parsers": {name: {} for name in parsers},
        "taggers": {"seen": {"own_host": False}},
        "storages": store,
        "pipelines": {
            "p": {
                "collectors": ["pcap"],
                "engine": "flow",
                "parsers": parsers,
                "taggers": ["seen"],
                "storages": ["clickhouse"],
            }
        },
    }
    SyncApp(config, autoload=True).run_until_complete()
    with SyncApp({"storages": store, "dialects": {"sql": {}}}, autoload=True) as app:
        sql = "SELECT dictionary, name FROM flow_tag.names WHERE name LIKE '%shop.test' FORMAT TSV"
        told = app.query("sql", sql, raw="clickhouse").table["data"][0].as_py().decode()
        assert "bank.shop.test" in told
        # The shop's requests name 127.0.0.1, and nothing else goes to the bank's address: no row carries the name.
        found = app.query(
            "sql", "SELECT auto_instance_1, Count(row) AS n FROM l7_flow_log GROUP BY auto_instance_1"
        ).table.to_pylist()
        assert {row["auto_instance_1"] for row in found} == {"127.0.0.1"}
