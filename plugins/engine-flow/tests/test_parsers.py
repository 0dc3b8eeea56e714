"""Parsers that the host runs: good ones, failing ones, lying ones."""

from __future__ import annotations

import random

import pytest
from engine_testing import blocks, build, parser_factory, pcap, run
from metaflow_engine_flow import EngineError
from metaflow_engine_flow.parser_library import NativeParser, ParserLibrary, load

from metaflow_core.api import ParserFault, ParserLimits
from metaflow_core.errors import PluginLoadError


class Broken:
    """A parser of which every batch fails in some way."""

    def __init__(self, how: str) -> None:
        self.how, self.restarts, self.rng = how, 0, random.Random(how)

    def check(self, batch: memoryview) -> bytes:
        return self.parse(batch)

    def parse(self, batch: memoryview) -> bytes:
        if self.how == "raises":
            raise ValueError("an author's mistake")
        if self.how == "faults":
            raise ParserFault("it trapped")
        if self.how == "lies":
            # A plausible head with columns that do not fit.
            return b"MFC1" + (7).to_bytes(4, "little") + (2).to_bytes(4, "little") + bytes(4) + self.rng.randbytes(100)
        return b""

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", ["external", "wasm"])
@pytest.mark.parametrize("how", ["raises", "faults", "lies", "empty"])
def test_a_failing_parser_loses_its_own_batches_only(kind: str, how: str) -> None:
    from dataclasses import replace

    engine = build(kind)
    broken = Broken(how)
    description = parser_factory("http").description
    engine.add_parser(replace(description, name="broken"), broken)
    tables = run(engine, blocks(pcap("http")))
    assert len(tables["l4_flow_log"]) > 0
    assert "l7_flow_log" not in tables
    assert engine.counters()["parser", "batches_lost"] > 0
    if how in ("raises", "faults"):
        assert broken.restarts > 0


def test_history_of_a_flow() -> None:
    engine = build("native", ["dns", "http"], explain=True)
    tables = run(engine, blocks(pcap("http")))
    flow = tables["l7_flow_log"]["flow_id"][0].as_py()
    steps = [line.split("\t")[1] for line in engine.explain(flow)]
    assert "candidate" in steps
    assert steps[-1] == "confirm"
    assert engine.explain(12345) == []


def test_descriptions_are_checked() -> None:
    from dataclasses import replace

    engine = build("native")
    description = parser_factory("http").description
    engine.add_parser(description, Broken("empty"))
    with pytest.raises(Exception, match="there is one of that name already"):
        engine.add_parser(description, Broken("empty"))
    with pytest.raises(Exception, match="expected a list of tcp, udp, icmp"):
        engine.add_parser(replace(description, name="other", transports=("carrier pigeon",)), Broken("empty"))


def test_an_option_that_a_native_parser_refuses_is_told_when_the_engine_is_built() -> None:
    factory = parser_factory("http")
    assert factory.native is not None
    engine = build("native")
    with pytest.raises(EngineError, match="parser http.*max_head_bytes"):
        engine.add_parser(factory.description, NativeParser(ParserLibrary(factory.native)), {"max_head_bytes": "abc"})
    engine.close()
    with pytest.raises(PluginLoadError, match="max_head_bytes"):
        load(factory.native, {"max_head_bytes": "abc"}, ParserLimits())
    assert load(factory.native, {"max_head_bytes": "2048"}, ParserLimits())
