"""The native engine: a C library called once per block, rows out by the Arrow C Data Interface without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from metaflow_engine_flow.blocks import Block, push_facts
from metaflow_engine_flow.description import Option, description_lines, option_lines
from metaflow_engine_flow.external import ExternalParsers, batch_at
from metaflow_engine_flow.interface import EngineError
from metaflow_engine_flow.library import Raw, Work, load_library
from metaflow_engine_flow.tables import TABLES
from metaflow_engine_flow.texts import counters_of

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api import ParserDescription, ParserRuntime

# Sizes of struct ArrowArray and struct ArrowSchema: ten and nine words.
_ARROW_ARRAY = 80
_ARROW_SCHEMA = 72


class NativeEngine:
    """See :class:`~metaflow_engine_flow.interface.FlowEngine`.

    :param options: engine options (README.md, "Options").
    :param library: another library than the package's own.
    :raises UnavailableError: there is no native library here.
    :raises EngineError: an option is wrong.
    """

    build = "native"

    def __init__(self, options: Mapping[str, Option], library: Path | None = None) -> None:
        self._library = load_library(library)
        self._external = ExternalParsers()
        self._inside: list[ParserRuntime] = []
        text = option_lines(options)
        self._handle: int | None = self._library.mfe_new(text, len(text))
        if not self._handle:
            raise EngineError(self._last_error())

    def add_parser(
        self, description: ParserDescription, runtime: ParserRuntime, options: Mapping[str, str] | None = None
    ) -> int:
        """See :meth:`FlowEngine.add_parser <metaflow_engine_flow.interface.FlowEngine.add_parser>`."""
        text = description_lines(description, options or {})
        vtable = getattr(runtime, "vtable", 0)
        index: int = self._library.mfe_add_parser(self._open(), text, len(text), vtable or None)
        if index < 0:
            raise EngineError(self._last_error())
        if vtable:
            self._inside.append(runtime)
        else:
            self._external.add(index, description.name, runtime)
        return index

    def push(self, block: Block) -> int:
        """See :meth:`FlowEngine.push <metaflow_engine_flow.interface.FlowEngine.push>`."""
        import pyarrow as pa

        # Anything with a buffer has an address this way, also a read-only memoryview.
        data = pa.py_buffer(block.data)
        handle, facts = self._open(), push_facts(block)
        taken = 0
        at = ctypes.c_uint32(0)
        while True:
            part: int = self._library.mfe_push_part(handle, *facts, data.address, data.size, ctypes.byref(at))
            if part < 0:
                raise EngineError(self._last_error())
            taken += part
            self._external.run(self)
            if not at.value:
                return taken

    def next_work(self) -> tuple[int, int, memoryview] | None:
        """See :class:`~metaflow_engine_flow.external.WorkSource`."""
        work = Work()
        if self._library.mfe_work(self._open(), ctypes.byref(work)) != 1:
            return None
        return work.parser, work.op, batch_at(work.ptr, work.len)

    def complete(self, result: bytes | memoryview) -> None:
        """See :class:`~metaflow_engine_flow.external.WorkSource`."""
        import pyarrow as pa

        data = pa.py_buffer(result)
        self._library.mfe_complete(self._open(), data.address if data.size else None, data.size)

    def tick(self, now_ns: int) -> None:
        """See :meth:`FlowEngine.tick <metaflow_engine_flow.interface.FlowEngine.tick>`."""
        self._library.mfe_tick(self._open(), now_ns)
        self._external.run(self)

    def finish(self) -> None:
        """See :meth:`FlowEngine.finish <metaflow_engine_flow.interface.FlowEngine.finish>`."""
        self._library.mfe_finish(self._open())
        self._external.run(self)

    def ready(self) -> int:
        """See :meth:`FlowEngine.ready <metaflow_engine_flow.interface.FlowEngine.ready>`."""
        return max(self._ready(table) for table in range(len(TABLES)))

    def tables(self, at_least: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
        """See :meth:`FlowEngine.tables <metaflow_engine_flow.interface.FlowEngine.tables>`."""
        import pyarrow as pa

        for table, name in enumerate(TABLES):
            if self._ready(table) < at_least:
                continue
            array = ctypes.create_string_buffer(_ARROW_ARRAY)
            schema = ctypes.create_string_buffer(_ARROW_SCHEMA)
            places = ctypes.addressof(array), ctypes.addressof(schema)
            if self._library.mfe_take(self._open(), table, *places) != 0:
                raise EngineError(self._last_error())
            # pyarrow's documented entry for producers without a Python object; it takes over the buffers.
            yield name, pa.RecordBatch._import_from_c(*places)  # noqa: SLF001

    def counters(self) -> Mapping[tuple[str, str], int]:
        """See :meth:`FlowEngine.counters <metaflow_engine_flow.interface.FlowEngine.counters>`."""
        raw = Raw()
        self._library.mfe_counters(self._open(), ctypes.byref(raw))
        return counters_of(_text(raw))

    def explain(self, flow_id: int) -> list[str]:
        """See :meth:`FlowEngine.explain <metaflow_engine_flow.interface.FlowEngine.explain>`."""
        raw = Raw()
        self._library.mfe_explain(self._open(), flow_id, ctypes.byref(raw))
        return _text(raw).splitlines()

    def close(self) -> None:
        """Free the engine and its parsers. Idempotent."""
        if self._handle:
            self._library.mfe_free(self._handle)
            self._handle = None
        self._external.close()
        for runtime in self._inside:
            runtime.close()
        self._inside.clear()

    def _ready(self, table: int) -> int:
        return int(self._library.mfe_ready(self._open(), table))

    def _open(self) -> int:
        if self._handle is None:
            raise EngineError("the engine was closed and cannot be used any more; make a new one")
        return self._handle

    def _last_error(self) -> str:
        raw = Raw()
        self._library.mfe_last_error(getattr(self, "_handle", None), ctypes.byref(raw))
        return _text(raw) or "the engine gave no reason"


def _text(raw: Raw) -> str:
    return ctypes.string_at(raw.ptr, raw.len).decode("utf-8", "replace") if raw.ptr else ""
