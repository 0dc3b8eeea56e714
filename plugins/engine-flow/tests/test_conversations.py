"""Real servers' traffic: the counts are the servers' own, and every build of the engine gives the same rows."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from engine_testing import PROTOCOLS, TRUTH, blocks, build, native_parser, pcap, run
from metaflow_engine_flow import NativeEngine, ShardedEngine


def paired(table: pa.Table) -> int:
    """Rows with a response time: exchanges of a request and its response."""
    return len(table) - table["response_duration"].null_count


@pytest.mark.parametrize("kind", ["native", "external", "wasm"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_exchange_that_the_server_counted_is_found(protocol: str, kind: str) -> None:
    tables = run(build(kind, [protocol]), blocks(pcap(protocol)))
    assert paired(tables["l7_flow_log"]) == TRUTH[protocol]
    requests = tables["application.1m"].filter(pa.compute.equal(tables["application.1m"]["role"], 1))
    assert sum(requests["response"].to_pylist()) >= TRUTH[protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_builds_give_equal_rows(protocol: str) -> None:
    native, external, wasm = (
        run(build(kind, [protocol]), blocks(pcap(protocol))) for kind in ("native", "external", "wasm")
    )
    assert native.keys() == wasm.keys() == external.keys()
    for name, rows in native.items():
        assert rows.equals(wasm[name]), name
        assert rows.equals(external[name]), name


@pytest.mark.parametrize("size", [997, 4096, 65536])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_cut_into_blocks_changes_nothing(protocol: str, size: int) -> None:
    whole = run(build("native", [protocol]), blocks(pcap(protocol)))
    parts = run(build("native", [protocol]), blocks(pcap(protocol), size))
    for name in ("l7_flow_log", "l4_flow_log", "network.1s", "application.1s", "network_map.1m", "application_map.1m"):
        assert whole[name].equals(parts[name]), name


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_shards_find_what_one_finds(protocol: str) -> None:
    build("native")
    factory, create = native_parser(protocol)
    sharded = ShardedEngine(NativeEngine, 2)
    sharded.add_parser(factory.description, create)
    one, two = run(build("native", [protocol]), blocks(pcap(protocol))), run(sharded, blocks(pcap(protocol)))
    sharded.close()
    assert one.keys() == two.keys()
    for name, rows in one.items():
        # What a shard learns of a service from other flows is its own; the load of a minute is the sum of shards' largest seconds.
        same = [column for column in rows.schema.names if column not in ("direction_score", "flow_load")]
        assert rows.select(same).equals(two[name].select(same)), name


def test_all_parsers_together_know_each_others_traffic() -> None:
    for protocol in PROTOCOLS:
        tables = run(build("native", PROTOCOLS), blocks(pcap(protocol)))
        assert paired(tables["l7_flow_log"]) == TRUTH[protocol], protocol


def test_the_same_input_gives_the_same_bytes() -> None:
    def written() -> bytes:
        engine: Any = build("native", PROTOCOLS)
        sink = io.BytesIO()
        for protocol in PROTOCOLS:
            for block in blocks(pcap(protocol), 10_000):
                engine.push(block)
        engine.finish()
        for _, rows in engine.tables():
            with pa.ipc.new_stream(sink, rows.schema) as stream:
                stream.write_batch(rows)
        return sink.getvalue()

    assert written() == written()


def test_metrics_add_up_to_the_flows() -> None:
    tables = run(build("native", ["http"]), blocks(pcap("http")))
    flows, paths = tables["l4_flow_log"], tables["network_map.1s"]
    for column in (
        "packet_tx",
        "packet_rx",
        "byte_tx",
        "byte_rx",
        "l4_byte_tx",
        "l4_byte_rx",
        "syn_count",
        "l7_request",
        "l7_response",
    ):
        assert sum(paths[column].to_pylist()) == sum(flows[column].to_pylist()), column
    assert sum(paths["new_flow"].to_pylist()) == sum(paths["closed_flow"].to_pylist()) == len(flows)
    for table in ("network.1s", "network.1m"):
        by_role = {role: tables[table].filter(pa.compute.equal(tables[table]["role"], role)) for role in (0, 1)}
        # What the client's end sent, the server's end received.
        assert (
            sum(by_role[0]["byte_tx"].to_pylist())
            == sum(by_role[1]["byte_rx"].to_pylist())
            == sum(flows["byte_tx"].to_pylist())
        )
