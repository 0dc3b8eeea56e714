"""Captures of real servers, and the builds of the engine that are there."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_engine_flow import NativeEngine, WasmEngine
from metaflow_engine_flow.library import library_path
from metaflow_engine_flow.merge import merge_rows
from metaflow_engine_flow.parser_library import NativeParser, ParserLibrary
from metaflow_engine_flow.wasm import module_path

from metaflow_core.api import BlockFormat, PacketBlock, ParserBinding, ParserFactory, RuntimeKind

CAPTURES = Path(__file__).parent / "captures"
PROTOCOLS = ("http", "redis", "mysql", "dns")
TRUTH: Mapping[str, int] = json.loads((CAPTURES / "conversations.json").read_text())


def pcap(name: str) -> memoryview:
    """The records of a small capture, without the file's header."""
    return memoryview((CAPTURES / f"{name}.pcap").read_bytes())[24:]


def blocks(data: memoryview | bytes, size: int = 1 << 20) -> list[PacketBlock]:
    """Bytes as blocks of at most ``size``."""
    return [PacketBlock(data[start : start + size], BlockFormat.PCAP, 1) for start in range(0, len(data), size)]


class Connection:
    """A TCP connection as records of a pcap file (link type 101, raw IP); times are seconds after ``start``."""

    def __init__(self, server_port: int, start: int) -> None:
        self._ports, self._start, self._next = (40000, server_port), start, [1000, 9000]

    def _record(self, at: float, side: int, flags: int, payload: bytes = b"") -> bytes:
        ports, ends = self._ports, (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
        if side:
            ports, ends = ports[::-1], ends[::-1]
        tcp = struct.pack(">HHIIBBHHH", *ports, self._next[side], self._next[1 - side], 5 << 4, flags, 1000, 0, 0)
        length = 40 + len(payload)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, *ends)
        self._next[side] += len(payload) + (flags >> 1 & 1)
        when = struct.pack("<IIII", self._start + int(at), round(at % 1 * 1e6), length, length)
        return when + ip + tcp + payload

    def opened(self, at: float = 0) -> list[bytes]:
        """SYN and its answer."""
        return [self._record(at, 0, 0x02), self._record(at + 0.0001, 1, 0x12)]

    def sent(self, at: float, side: int, payload: bytes) -> bytes:
        """A segment of the client (0) or the server (1)."""
        return self._record(at, side, 0x18, payload)


def parser_factory(protocol: str) -> ParserFactory:
    """A parser plugin's factory; skips when it is not installed or has no native build."""
    try:
        plugin = importlib.import_module(f"metaflow_parser_{protocol}.plugin")
    except ImportError as error:
        pytest.skip(f"the parser plugin {protocol} is not installed: {error}")
    factory: ParserFactory = next(iter(plugin.metaflow_parsers()))
    if RuntimeKind.NATIVE not in factory.runtimes():
        pytest.skip(f"the parser plugin {protocol} has no native build")
    return factory


def native_parser(protocol: str) -> tuple[ParserFactory, Callable[[], NativeParser]]:
    """A parser plugin and what makes instances of its native build."""
    factory = parser_factory(protocol)
    assert factory.native is not None
    library = ParserLibrary(factory.native)
    return factory, lambda: NativeParser(library)


def binding(protocol: str) -> ParserBinding:
    """A parser as a pipeline binds it."""
    factory, create = native_parser(protocol)
    return ParserBinding(id=protocol, description=factory.description, runtime=RuntimeKind.NATIVE, create=create)


class External:
    """A native parser that hides its function table: the engine must hand out batches."""

    def __init__(self, inner: NativeParser) -> None:
        self.check, self.parse, self.restart, self.close = inner.check, inner.parse, inner.restart, inner.close


def build(kind: str, protocols: Sequence[str] = (), **options: Any) -> Any:
    """An engine (``native``, ``wasm``, or ``external``: native with the host running the parsers) with parsers."""
    if kind == "wasm" and not module_path().exists():
        pytest.skip(f"{module_path()} was not built; run script/build-wasm --all")
    if kind != "wasm" and library_path() is None:
        pytest.skip("the package was installed without its native library")
    engine: Any = WasmEngine(options) if kind == "wasm" else NativeEngine(options)
    for protocol in protocols:
        factory, create = native_parser(protocol)
        runtime: Any = create()
        engine.add_parser(factory.description, External(runtime) if kind == "external" else runtime)
    return engine


def run(engine: Any, input_blocks: Sequence[PacketBlock]) -> dict[str, pa.Table]:
    """Every row of every table, in an order that does not depend on how the input was cut."""
    found: dict[str, list[pa.RecordBatch]] = {}
    for block in input_blocks:
        engine.push(block)
        for name, rows in engine.tables():
            found.setdefault(name, []).append(rows)
    engine.finish()
    for name, rows in engine.tables():
        found.setdefault(name, []).append(rows)
    # An empty part more, so that a single batch is sorted too.
    return {
        name: pa.Table.from_batches([merge_rows(name, [*parts, parts[0].slice(0, 0)])]) for name, parts in found.items()
    }
