"""The WebAssembly engine: the same source run by wasmtime, one copy in per block and one copy out per table.

It runs where no native library fits, and for those who want hostile bytes decoded inside a sandbox: the module imports
nothing, and whatever happens in it cannot leave its own memory.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_core.errors import UnavailableError
from metaflow_engine_flow.blocks import Block, push_facts
from metaflow_engine_flow.description import Option, description_lines, option_lines
from metaflow_engine_flow.external import ExternalParsers, batch_at
from metaflow_engine_flow.image import read_image
from metaflow_engine_flow.interface import EngineError
from metaflow_engine_flow.library import ABI_VERSION
from metaflow_engine_flow.tables import TABLES
from metaflow_engine_flow.texts import counters_of
from metaflow_engine_flow.wasm_calls import Call, bind, has_short_calls, place_of

if TYPE_CHECKING:
    import pyarrow as pa
    import wasmtime

    from metaflow_core.api import ParserDescription, ParserRuntime

_RAW = struct.Struct("<II")
_WORK = struct.Struct("<IIII")
_READY = struct.Struct(f"<{len(TABLES)}Q")
_AT = struct.Struct("<I")
_OUT = _READY.size


def module_path() -> Path:
    """Where the package keeps its WebAssembly build."""
    return Path(__file__).parent / "engine.wasm"


@lru_cache(maxsize=4)
def _compiled(path: Path, _changed_ns: int) -> tuple[wasmtime.Engine, wasmtime.Module, bool]:
    """The compiled module, shared by all engines of the process, and whether short calls prove themselves."""
    import wasmtime

    try:
        engine = wasmtime.Engine()
        return engine, wasmtime.Module.from_file(engine, str(path)), has_short_calls(engine)
    except wasmtime.WasmtimeError as error:
        raise UnavailableError(f"{path} is not a WebAssembly module that wasmtime can compile: {error}") from error


@dataclass
class _Room:
    """Memory of the engine into which the host writes."""

    place: int = 0
    capacity: int = 0


class WasmEngine:
    """See :class:`~metaflow_engine_flow.interface.FlowEngine`. Every parser is external here.

    :param options: engine options (README.md, "Options").
    :param module: another module than the package's own.
    :param memory_mib: most memory that the engine may take, in MiB.
    :raises UnavailableError: wasmtime or the module is missing.
    :raises EngineError: an option is wrong.
    """

    build = "wasm"

    def __init__(self, options: Mapping[str, Option], module: Path | None = None, memory_mib: int = 2048) -> None:
        path = module or module_path()
        try:
            import wasmtime
        except ImportError as error:
            raise UnavailableError(
                "the WebAssembly engine needs the package 'wasmtime': pip install wasmtime"
            ) from error
        if not path.exists():
            raise UnavailableError(
                f"there is no {path}: build it with script/build-wasm mf-engine {path}, or install a wheel that holds it"
            )
        engine, compiled, short = _compiled(path, path.stat().st_mtime_ns)
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=memory_mib << 20)
        exports: Any = wasmtime.Instance(self._store, compiled, []).exports(self._store)
        self._trap = (wasmtime.Trap, wasmtime.WasmtimeError)
        self._calls: dict[str, Call] = {name: bind(self._store, exports[name], short=short) for name in _NEEDED}
        self._place = place_of(self._store, exports["memory"], short=short)
        self._dead = ""
        self._external = ExternalParsers()
        # Parsers' results come while a block is not done, so a block has a room of its own.
        self._input, self._blocks = _Room(), _Room()
        version = self._call("mfe_abi_version")
        if version != ABI_VERSION:
            raise UnavailableError(f"{path} speaks ABI version {version}, this package speaks {ABI_VERSION}")
        self._out = self._address("mfe_alloc", _OUT)
        self._handle = 0
        self._handle = self._address("mfe_new", *self._give(option_lines(options)))
        if not self._handle:
            raise EngineError(self._last_error())

    def add_parser(
        self, description: ParserDescription, runtime: ParserRuntime, options: Mapping[str, str] | None = None
    ) -> int:
        """See :meth:`FlowEngine.add_parser <metaflow_engine_flow.interface.FlowEngine.add_parser>`."""
        place = self._give(description_lines(description, options or {}))
        index = self._call("mfe_add_parser", self._handle, *place, 0)
        if index < 0:
            raise EngineError(self._last_error())
        self._external.add(index, description.name, runtime)
        return index

    def push(self, block: Block) -> int:
        """See :meth:`FlowEngine.push <metaflow_engine_flow.interface.FlowEngine.push>`."""
        facts, place = push_facts(block), self._give(block.data, self._blocks)
        at = taken = 0
        while True:
            ctypes.memmove(self._inside(self._out, _AT.size), _AT.pack(at), _AT.size)
            part = self._call("mfe_push_part", self._handle, *facts, *place, self._out)
            if part < 0:
                raise EngineError(self._last_error())
            taken += part
            (at,) = _AT.unpack(self._bytes(self._out, _AT.size))
            self._external.run(self)
            if not at:
                return taken

    def next_work(self) -> tuple[int, int, memoryview] | None:
        """See :class:`~metaflow_engine_flow.external.WorkSource`."""
        if self._call("mfe_work", self._handle, self._out) != 1:
            return None
        parser, operation, place, length = _WORK.unpack(self._bytes(self._out, _WORK.size))
        return parser, operation, batch_at(self._inside(place, length), length)

    def complete(self, result: bytes | memoryview) -> None:
        """See :class:`~metaflow_engine_flow.external.WorkSource`."""
        self._call("mfe_complete", self._handle, *self._give(result))

    def tick(self, now_ns: int) -> None:
        """See :meth:`FlowEngine.tick <metaflow_engine_flow.interface.FlowEngine.tick>`."""
        self._call("mfe_tick", self._handle, now_ns)
        self._external.run(self)

    def finish(self) -> None:
        """See :meth:`FlowEngine.finish <metaflow_engine_flow.interface.FlowEngine.finish>`."""
        self._call("mfe_finish", self._handle)
        self._external.run(self)

    def ready(self) -> int:
        """See :meth:`FlowEngine.ready <metaflow_engine_flow.interface.FlowEngine.ready>`."""
        return max(self._ready())

    def tables(self, at_least: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
        """See :meth:`FlowEngine.tables <metaflow_engine_flow.interface.FlowEngine.tables>`."""
        import pyarrow as pa

        for table, (name, ready) in enumerate(zip(TABLES, self._ready(), strict=True)):
            if ready < at_least:
                continue
            if self._call("mfe_take_raw", self._handle, table, self._out) != 0:
                raise EngineError(self._last_error())
            place, length = _RAW.unpack(self._bytes(self._out, _RAW.size))
            image = pa.allocate_buffer(length)
            ctypes.memmove(image.address, self._inside(place, length), length)
            yield name, read_image(image)[1]

    def counters(self) -> Mapping[tuple[str, str], int]:
        """See :meth:`FlowEngine.counters <metaflow_engine_flow.interface.FlowEngine.counters>`."""
        self._call("mfe_counters", self._handle, self._out)
        return counters_of(self._raw_text())

    def explain(self, flow_id: int) -> list[str]:
        """See :meth:`FlowEngine.explain <metaflow_engine_flow.interface.FlowEngine.explain>`."""
        self._call("mfe_explain", self._handle, flow_id, self._out)
        return self._raw_text().splitlines()

    def close(self) -> None:
        """Free the engine and its parsers. Idempotent."""
        self._external.close()
        if self._calls:
            self._calls = {}
            self._store.close()
        self._dead = self._dead or "the engine was closed and cannot be used any more; make a new one"

    def _ready(self) -> tuple[int, ...]:
        """Rows ready by table id, in one call."""
        self._call("mfe_ready_all", self._handle, self._out, len(TABLES))
        return _READY.unpack(self._bytes(self._out, _READY.size))

    def _call(self, name: str, *arguments: int) -> int:
        if self._dead:
            raise EngineError(self._dead)
        try:
            return self._calls[name](*arguments)
        except self._trap as error:
            # The memory may be half written: nothing of it is looked at any more.
            self._dead = f"the WebAssembly engine trapped in {name} and cannot go on: {str(error).splitlines()[0]}"
            raise EngineError(self._dead) from error

    def _address(self, name: str, *arguments: int) -> int:
        """A call that returns a place in the linear memory, which may lie beyond 2 GiB."""
        return self._call(name, *arguments) & 0xFFFF_FFFF

    def _inside(self, place: int, length: int) -> int:
        """The address of ``length`` bytes of the linear memory, valid until the next call.

        :raises EngineError: they do not lie in it.
        """
        base, size = self._place()
        if place + length > size:
            self._dead = f"the WebAssembly engine points at {length} bytes at {place} of its memory of {size} bytes"
            raise EngineError(self._dead)
        return base + place

    def _give(self, data: Any, room: _Room | None = None) -> tuple[int, int]:
        """Copy bytes into a room of the engine (that for short-lived input); returns where they are and how many."""
        import pyarrow as pa

        source, room = pa.py_buffer(data), room or self._input
        if source.size > room.capacity:
            if room.place:
                self._call("mfe_dealloc", room.place, room.capacity)
            room.capacity = max(source.size, 1 << 16)
            room.place = self._address("mfe_alloc", room.capacity)
            if not room.place:
                raise EngineError(f"the WebAssembly engine has no memory for {room.capacity} bytes of input")
        if source.size:
            ctypes.memmove(self._inside(room.place, source.size), source.address, source.size)
        return room.place, source.size

    def _bytes(self, place: int, length: int) -> bytes:
        return ctypes.string_at(self._inside(place, length), length)

    def _raw_text(self) -> str:
        place, length = _RAW.unpack(self._bytes(self._out, _RAW.size))
        return self._bytes(place, length).decode("utf-8", "replace")

    def _last_error(self) -> str:
        self._call("mfe_last_error", self._handle, self._out)
        return self._raw_text() or "the engine gave no reason"


_NEEDED = (
    "mfe_abi_version", "mfe_alloc", "mfe_dealloc", "mfe_new", "mfe_add_parser", "mfe_push_part", "mfe_work", "mfe_complete", "mfe_tick",
    "mfe_finish", "mfe_ready_all", "mfe_take_raw", "mfe_counters", "mfe_explain", "mfe_last_error",
)  # fmt: skip
