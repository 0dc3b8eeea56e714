"""The engine keeps the contract of the core, in both builds and sharded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from engine_testing import binding, blocks, pcap
from metaflow_engine_flow.plugin import metaflow_engines
from metaflow_engine_flow.wasm import module_path

from metaflow_core.api import PacketBlock
from metaflow_core.testing.contracts.engine import EngineContract


class TestNative(EngineContract):
    """The native build."""

    factory = next(iter(metaflow_engines()))
    options = {"engine": "native"}

    @pytest.fixture(autouse=True)
    def _with_parser(self) -> None:
        self.parsers = [binding("http")]

    def blocks(self) -> Sequence[PacketBlock]:
        """Requests to nginx."""
        return blocks(pcap("http"), 8192)


@pytest.mark.skipif(not module_path().exists(), reason="engine.wasm was not built; run script/build-wasm --all")
class TestWasm(TestNative):
    """The WebAssembly build."""

    options = {"engine": "wasm"}


class TestSharded(TestNative):
    """Two shards of the native build."""

    options = {"engine": "native", "shards": 2}
