"""Damaged input never raises, never hangs, and is counted."""

from __future__ import annotations

import random
import resource
import struct
from typing import Any

import pytest
from engine_testing import PROTOCOLS, blocks, build, pcap, run
from metaflow_engine_flow.config import EngineConfig

from metaflow_core.api import BlockFormat, PacketBlock


@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_a_capture_cut_anywhere_keeps_what_came_before(kind: str) -> None:
    data = bytes(pcap("http"))
    for cut in range(1, len(data), 4093):
        engine = build(kind, ["http"])
        tables = run(engine, blocks(data[:cut]))
        engine.close()
        assert "l4_flow_log" in tables or cut < 100


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_flipped_bytes_break_nothing(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(pcap(rng.choice(PROTOCOLS)))
    for _ in range(rng.randint(1, 400)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    engine = build(kind, PROTOCOLS)
    run(engine, blocks(bytes(data), rng.choice([500, 5000, 50_000])))
    assert engine.counters()
    engine.close()


@pytest.mark.parametrize("layout", list(BlockFormat))
@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_noise_is_counted(kind: str, layout: BlockFormat) -> None:
    engine = build(kind, PROTOCOLS)
    for seed in range(20):
        engine.push(PacketBlock(random.Random(seed).randbytes(20_000), layout, 1, source=seed))
    engine.finish()
    assert engine.counters()["received", "bytes"] == 400_000
    engine.close()


def later(data: bytes, seconds: int) -> bytes:
    """The records of a capture, all so much later."""
    out, at = bytearray(data), 0
    while at + 16 <= len(out):
        moment, _, length = struct.unpack_from("<III", out, at)
        struct.pack_into("<I", out, at, moment + seconds)
        at += 16 + length
    return bytes(out)


def test_memory_stays_flat() -> None:
    engine: Any = build("native", PROTOCOLS)

    def rounds(first: int, last: int) -> int:
        for number in range(first, last):
            for protocol in PROTOCOLS:
                for block in blocks(later(bytes(pcap(protocol)), number * 400)):
                    engine.push(block)
            for _ in engine.tables():
                pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = rounds(0, 40)
    after = rounds(40, 160)
    # Kilobytes: what four times as much input may add is noise of the allocator, not growth with the input.
    assert after - before < 8 * 1024, f"{before} kB after 40 rounds, {after} kB after 160"


def test_unknown_formats_are_sentences() -> None:
    engine = build("native")
    with pytest.raises(
        Exception, match="block format 9: expected 0 records, 1 pcap, 2 pcapng, 3 tpacket3 or 4 segments"
    ):
        engine.push(PacketBlock(b"x", 9, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_wrong_options_are_sentences(kind: str) -> None:
    with pytest.raises(Exception, match="engine options, line 1: max_flows=many: expected a whole number from 16"):
        build(kind, max_flows="many")
    with pytest.raises(Exception, match="there is no option `colour`"):
        build(kind, colour="red")
    with pytest.raises(Exception, match="shard counts from 0"):
        build(kind, shards=2, shard=2)


def test_tables_are_named_with_or_without_database_and_interval() -> None:
    config = EngineConfig(tables=("flow_log.l7_flow_log", "network_map", "flow_metrics.application.1s"))
    assert config.wanted() == {"l7_flow_log", "network_map.1s", "network_map.1m", "application.1s", "application.1m"}
    options = config.engine_options()
    assert (options["l7_message"], options["l7_flow_log"], options["metrics"]) == (False, True, True)
    assert not EngineConfig(tables=("flow_log.l7_flow_log",)).engine_options()["metrics"]
