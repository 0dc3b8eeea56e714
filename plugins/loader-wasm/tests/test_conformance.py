"""Every guest of wasm-sdk/conformance gets the verdict that its table says, on both ways of calling."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import wasmtime
from metaflow_loader_wasm.loader import WasmLoader
from metaflow_loader_wasm.module_cache import ModuleCache

from metaflow_core.api import ParserFault, ParserLimits
from metaflow_core.api.wire import BatchBuilder, read_checks, read_records
from metaflow_core.errors import ParseError, PluginLoadError

FOLDER = Path(__file__).resolve().parents[3] / "wasm-sdk" / "conformance"
GUESTS = tomllib.loads((FOLDER / "verdicts.toml").read_text(encoding="utf-8"))["guest"]


def batch():
    builder = BatchBuilder()
    builder.data(b"hello")
    builder.data(b"", direction=1)
    builder.close()
    return memoryview(builder.finish())


@pytest.fixture(scope="module", params=[True, False], ids=["short", "public"])
def loader(request, tmp_path_factory):
    return WasmLoader(cache=ModuleCache(tmp_path_factory.mktemp("cache")), short_calls=request.param)


@pytest.mark.parametrize("guest", GUESTS, ids=[f"{item['file']}-{item.get('call', 'parse')}" for item in GUESTS])
def test_verdict(guest, loader, tmp_path):
    path = tmp_path / "guest.wasm"
    path.write_bytes(wasmtime.wat2wasm((FOLDER / guest["file"]).read_text(encoding="utf-8")))
    limits = ParserLimits(memory_mib=16, deadline_ms=guest.get("deadline_ms", 20), batch_bytes=1 << 20)
    verdict, says, call = guest["verdict"], guest.get("says", ""), guest.get("call", "parse")
    if verdict == "refused":
        with pytest.raises(PluginLoadError) as refused:
            loader.load(path, guest.get("options", {}), limits)
        assert says in str(refused.value)
        assert str(path) in str(refused.value)
        return
    runtime = loader.load(path, {}, limits)()
    run = getattr(runtime, call)
    reader = read_records if call == "parse" else read_checks
    for _ in range(3):  # after a fault a new instance gives the same verdict
        if verdict == "fault":
            with pytest.raises(ParserFault) as fault:
                run(batch())
            assert says in str(fault.value)
            runtime.restart()
            continue
        result = run(batch())
        if verdict == "malformed":
            with pytest.raises(ParseError, match=says):
                reader(result, 3)
        else:
            assert len(reader(result, 3)) == guest["records"]
    runtime.close()
    runtime.close()


def test_every_guest_is_in_the_table():
    assert {path.name for path in FOLDER.glob("*.wat")} == {item["file"] for item in GUESTS}
