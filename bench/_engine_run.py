"""One measured run of the engine in a process of its own; prints a line of JSON. Started by ``bench.dataplane``."""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # imported here: its start-up is no work of the engine
from metaflow_engine_flow import NativeEngine, WasmEngine
from metaflow_engine_flow.parser_library import load as load_native
from metaflow_loader_wasm.loader import WasmLoader

from metaflow_core.api import BlockFormat, PacketBlock, ParserFactory

BLOCK = 1 << 20
BATCH_ROWS = 4096


def factory_of(protocol: str) -> ParserFactory:
    """The installed parser plugin's factory."""
    import importlib

    plugin: Any = importlib.import_module(f"metaflow_parser_{protocol}.plugin")
    found: ParserFactory = next(iter(plugin.metaflow_parsers()))
    return found


def engine_for(runtime: str, protocol: str, options: dict[str, str]) -> Any:
    """``native``: native engine and parser; ``wasm``: both WebAssembly; ``native+wasm``: native engine, WebAssembly parser;
    ``python``: native engine, parser in Python."""
    engine: Any = WasmEngine(options) if runtime == "wasm" else NativeEngine(options)
    factory = factory_of(protocol)
    if runtime == "python":
        from bench._http_in_python import factory as python_factory

        assert python_factory.python is not None
        engine.add_parser(python_factory.description, python_factory.python(python_factory.config()))
    elif runtime == "native":
        assert factory.native is not None
        engine.add_parser(factory.description, load_native(factory.native, {}, factory.limits)())
    else:
        assert factory.wasm is not None
        engine.add_parser(factory.description, WasmLoader().load(factory.wasm, {}, factory.limits)())
    return engine


def blocks(file: Path, later: int) -> Iterator[tuple[bytes, float]]:
    """Blocks of the file and when reading each began; every packet ``later`` seconds later than captured.

    Reading counts as the engine's time (the other programs read too), changing times does not.
    """
    rest = b""
    with file.open("rb") as stream:
        stream.seek(24)
        while True:
            before = time.process_time()
            block = stream.read(BLOCK)
            if not block:
                return
            if later:
                block, rest = shifted(rest + block, later)
                before = time.process_time()
            yield block, before


def shifted(data: bytes, later: int) -> tuple[bytes, bytes]:
    """The whole records of ``data`` with later times, and what is left."""
    out, at = bytearray(data), 0
    while at + 16 <= len(out):
        seconds, _, length = struct.unpack_from("<III", out, at)
        if at + 16 + length > len(out):
            break
        struct.pack_into("<I", out, at, seconds + later)
        at += 16 + length
    return bytes(out[:at]), data[at:]


def peak_mib() -> float:
    """Peak memory of this process (the resource module's number begins with that of the parent)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """``_engine_run.py RUNTIME PROTOCOL FILE REPEAT [option=value ...]``: the file is read REPEAT times, as if it were longer."""
    runtime, protocol, file, repeat = sys.argv[1:5]
    options = dict(option.split("=", 1) for option in sys.argv[5:])
    engine = engine_for(runtime, protocol, options)
    exchanges = packets = 0

    def take(at_least: int) -> int:
        paired = 0
        for name, rows in engine.tables(at_least):
            if name == "l7_flow_log":
                column: pa.Array = rows.column("response_duration")
                paired += len(column) - column.null_count
        return paired

    cpu = 0.0
    for round_ in range(int(repeat)):
        for block, before in blocks(Path(file), round_ * 1000):
            packets += engine.push(PacketBlock(block, BlockFormat.PCAP, 1))
            exchanges += take(BATCH_ROWS)
            cpu += time.process_time() - before
    before = time.process_time()
    engine.finish()
    exchanges += take(1)
    cpu += time.process_time() - before
    print(
        json.dumps(
            {
                "cpu_s": cpu,
                "packets": packets,
                "exchanges": exchanges,
                "rss_mib": peak_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
