"""Calls into the WebAssembly engine: the short way gives what the public way gives, and is left where it does not."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime
from engine_testing import blocks, build, pcap
from metaflow_engine_flow import wasm, wasm_calls
from metaflow_engine_flow.interface import EngineError


def test_the_short_way_proves_itself_with_this_wasmtime() -> None:
    assert wasm_calls.has_short_calls(wasmtime.Engine())


def test_without_the_short_way_the_rows_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    short = _rows()
    path = wasm.module_path()
    monkeypatch.setattr(wasm, "has_short_calls", lambda _engine: False)
    wasm._compiled.cache_clear()
    assert not wasm._compiled(path, path.stat().st_mtime_ns)[2]
    try:
        assert _rows() == short
    finally:
        wasm._compiled.cache_clear()


def test_a_way_that_differs_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = wasm_calls.bind

    def wrong(store: wasmtime.Store, function: wasmtime.Func, *, short: bool) -> wasm_calls.Call:
        call = bind(store, function, short=short)
        return (lambda *values: call(*values) + 1) if short else call

    monkeypatch.setattr(wasm_calls, "bind", wrong)
    assert not wasm_calls.has_short_calls(wasmtime.Engine())


def test_a_place_outside_of_the_memory_is_not_read() -> None:
    engine = build("wasm", ["http"])
    size = engine._place()[1]
    with pytest.raises(EngineError, match="points at 16 bytes"):
        engine._inside(size - 15, 16)
    with pytest.raises(EngineError, match="points at 16 bytes"):
        engine.ready()


def _rows() -> list[Any]:
    engine = build("wasm", ["http"])
    for block in blocks(pcap("http")):
        engine.push(block)
    engine.finish()
    rows = [(name, rows.to_pylist()) for name, rows in engine.tables(1)]
    engine.close()
    return rows
