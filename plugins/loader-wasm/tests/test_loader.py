"""The loader beside its guests: the cache, the ticker, the log, many instances, growth, and the plugin."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from pathlib import Path

import pytest
import wasmtime
from metaflow_loader_wasm.guest_log import GuestLog
from metaflow_loader_wasm.loader import WasmLoader
from metaflow_loader_wasm.module_cache import ModuleCache
from metaflow_loader_wasm.ticker import Ticker

from metaflow_core.api import Kind, ParserFault, ParserLimits, ParserRuntime
from metaflow_core.api.wire import BatchBuilder, read_records
from metaflow_core.errors import PluginLoadError

FOLDER = Path(__file__).resolve().parents[3] / "wasm-sdk" / "conformance"
LIMITS = ParserLimits(memory_mib=16, deadline_ms=50, batch_bytes=1 << 20)


def module(name, folder):
    path = folder / f"{name}.wasm"
    path.write_bytes(wasmtime.wat2wasm((FOLDER / f"{name}.wat").read_text(encoding="utf-8")))
    return path


def batch_of(*payloads):
    builder = BatchBuilder()
    for payload in payloads:
        builder.data(payload)
    return memoryview(builder.finish())


@pytest.fixture
def loader(tmp_path):
    return WasmLoader(cache=ModuleCache(tmp_path / "cache"))


def test_what_goes_in_comes_out_as_the_batches_grow(loader, tmp_path):
    runtime = loader.load(module("echo", tmp_path), {}, LIMITS)()
    assert isinstance(runtime, ParserRuntime)
    for count in (1, 10, 1000, 5000, 3):
        payloads = [b"%07d" % number for number in range(count)]
        found = read_records(runtime.parse(batch_of(*payloads)))
        assert [record["result"].encode() for record in found] == payloads
    for source in (bytes, bytearray, memoryview):
        assert len(read_records(runtime.parse(source(batch_of(b"x"))))) == 1


def test_a_batch_over_the_limit_is_a_fault_and_the_instance_lives(loader, tmp_path):
    runtime = loader.load(module("echo", tmp_path), {}, LIMITS)()
    with pytest.raises(ParserFault, match="limit is 1048576 bytes"):
        runtime.parse(batch_of(bytes(2 << 20)))
    assert len(read_records(runtime.parse(batch_of(b"x")))) == 1


def test_a_trapped_or_closed_instance_says_so_until_it_is_restarted(loader, tmp_path):
    runtime = loader.load(module("trap", tmp_path), {}, LIMITS)()
    for sentence in ("trapped", "restart it"):
        with pytest.raises(ParserFault, match=sentence):
            runtime.parse(batch_of(b"x"))
    runtime.close()
    with pytest.raises(ParserFault, match="closed"):
        runtime.parse(batch_of(b"x"))


def test_instances_run_beside_each_other_and_one_endless_loop_does_not_stop_the_rest(loader, tmp_path):
    echo = loader.load(module("echo", tmp_path), {}, LIMITS)
    loop = loader.load(module("endless_loop", tmp_path), {}, LIMITS)()
    results: list[int] = []

    def work():
        runtime = echo()
        results.extend(len(read_records(runtime.parse(batch_of(b"a", b"b")))) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    with pytest.raises(ParserFault, match="deadline"):
        loop.parse(batch_of(b"x"))
    for thread in threads:
        thread.join()
    assert results == [2] * 150


def test_garbage_batches_never_break(loader, tmp_path):
    runtime = loader.load(module("echo", tmp_path), {}, LIMITS)()
    for raw in (b"", b"MFB1", os.urandom(100), b"MFB1\x02\0\0\0" + bytes(60), b"MFB1\xff\xff\0\0" + b"\xff" * 60):
        with pytest.raises(ParserFault, match=r"returned -1"):
            runtime.parse(memoryview(raw))
    assert len(read_records(runtime.parse(batch_of(b"x")))) == 1


@pytest.mark.parametrize("data", [b"", b"\0asm\1\0\0", b"\x7fELF", b"\0asm\x0d\0\1\0", b"(module)"[:4]])
def test_not_a_module(data, loader, tmp_path):
    path = tmp_path / "x.wasm"
    path.write_bytes(data)
    with pytest.raises(PluginLoadError, match="x.wasm"):
        loader.load(path, {}, LIMITS)


def test_a_missing_file_is_a_sentence(loader, tmp_path):
    with pytest.raises(PluginLoadError, match="cannot be read: No such file"):
        loader.load(tmp_path / "none.wasm", {}, LIMITS)


def test_the_cache_is_used_and_damage_or_foreign_hands_make_it_compile_again(tmp_path):
    cache = ModuleCache(tmp_path / "cache")
    path = module("echo", tmp_path)
    WasmLoader(cache=cache).load(path, {}, LIMITS)
    (entry,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    good = entry.read_bytes()

    def loads():
        return len(read_records(WasmLoader(cache=cache).load(path, {}, LIMITS)().parse(batch_of(b"x"))))

    assert loads() == 1
    for damaged in (b"", good[:50], good[:-1] + bytes([good[-1] ^ 1]), b"MFWC1\n" + bytes(32) + b"code"):
        entry.write_bytes(damaged)
        assert loads() == 1
        assert entry.read_bytes() == good  # compiled again and replaced
    entry.chmod(0o666)
    entry.write_bytes(good)
    assert loads() == 1
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    (tmp_path / "cache").chmod(0o777)
    before = entry.stat().st_mtime_ns
    assert loads() == 1
    assert entry.stat().st_mtime_ns == before  # neither read nor written


def test_a_symbolic_link_is_not_followed(tmp_path):
    cache = ModuleCache(tmp_path / "cache")
    cache.put("key", b"content")
    assert cache.get("key") == b"content"
    assert cache.get("other") is None
    (entry,) = (tmp_path / "cache").iterdir()
    target = tmp_path / "elsewhere"
    entry.rename(target)
    entry.symlink_to(target)
    assert cache.get("key") is None


def test_the_content_of_one_key_does_not_count_for_another(tmp_path):
    cache = ModuleCache(tmp_path / "cache")
    cache.put("a", b"content of a")
    (entry,) = (tmp_path / "cache").iterdir()
    cache.put("b", b"content of b")
    (other,) = (path for path in (tmp_path / "cache").iterdir() if path != entry)
    other.write_bytes(entry.read_bytes())
    assert cache.get("b") is None


def test_a_cache_that_cannot_be_written_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    path = module("echo", tmp_path)
    WasmLoader(cache=ModuleCache(tmp_path / "file" / "cache")).load(path, {}, LIMITS)


def test_the_ticker_counts_what_was_computed_and_not_what_was_waited():
    ticks, turns = [], []

    def spent() -> float:
        turns.append(1)
        return 0.002 * len(turns) if len(turns) > 20 else 0.0  # it waits for twenty turns, then it computes

    ticker = Ticker(lambda: ticks.append(len(turns)), period=0.002, idle_ticks=3, spent=spent)
    ticker.begin()
    while len(ticks) < 3:
        time.sleep(0.001)
    ticker.end()
    ticker.stop()
    assert ticks[0] == 21


def test_the_ticker_starts_with_work_and_stops_when_idle():
    ticks = []
    ticker = Ticker(lambda: ticks.append(1), period=0.002, idle_ticks=3, spent=time.monotonic)
    assert not ticker.is_alive
    ticker.begin()
    assert ticker.is_alive
    while len(ticks) < 10:
        time.sleep(0.002)
    ticker.end()
    while ticker.is_alive:
        time.sleep(0.002)
    ticker.begin()
    assert ticker.is_alive
    ticker.end()


def test_the_log_is_limited_and_says_what_it_left_out(caplog):
    now = [100.0]
    log = GuestLog("p.wasm", logging.getLogger("test.guest"), rate=3, clock=lambda: now[0])
    with caplog.at_level(logging.DEBUG):
        for _ in range(10):
            if log.accepts():
                log.write(0, b"a\nb\xff\x1b[31m" + b"x" * 5000)
        now[0] += 1
        assert log.accepts()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert lines[0].startswith("p.wasm: a\\nb\ufffd\\x1b[31mxxx")
    assert len(lines[0]) < 1100
    assert "7 lines of its log were left out" in lines[3]
    assert caplog.records[0].levelno == logging.ERROR


def test_options_with_line_breaks_are_refused(loader, tmp_path):
    with pytest.raises(PluginLoadError, match="line break"):
        loader.load(module("refuses_options", tmp_path), {"a": "1\nb=2"}, LIMITS)


def test_the_plugin_offers_the_loader():
    from metaflow_loader_wasm.plugin import metaflow_loaders

    (factory,) = metaflow_loaders()
    assert factory.kind is Kind.LOADER
    assert factory.suffixes == (".wasm",)
