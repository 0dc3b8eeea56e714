"""The engine that makes no rows: it keeps packets."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from metaflow_core.api import BuildContext, CounterSample, PacketBlock, RecordBatch, SegmentBlock
from metaflow_core.errors import StartError
from metaflow_packets.config import KeeperConfig
from metaflow_packets.files import PacketFiles
from metaflow_packets.library import Raw, load_library

__all__ = ["PacketKeeper"]

_CHUNK_BYTES = 1 << 20
_TRIM_EVERY_S = 10.0
_AGAIN_AFTER_S = 5.0


class PacketKeeper:
    """Sees the blocks of collectors beside the engine that makes rows of them, and writes them to files of its own.

    A disk that is full or gone costs packets of the store, counted, never one of the other engine.
    """

    def __init__(self, context: BuildContext, config: KeeperConfig) -> None:
        folder = config.path or context.data_dir
        if folder is None:
            raise StartError("packets need a place: set engines.packets.path, or service.data_dir")
        self._context = context
        self._folder = folder
        self._library = load_library()
        self._files = PacketFiles(folder, config.max_mib << 20, config.max_age_s)
        self._handle: int | None = self._library.mfk_new(config.payload_bytes)
        self._trimmed = 0.0
        self._again = 0.0
        self._trouble = ""

    async def start(self) -> None:
        """Make the directory.

        :raises StartError: it cannot be made.
        """
        try:
            self._files.open()
        except OSError as error:
            raise StartError(f"packets cannot be kept in {self._folder}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Write what waits, and give everything back. Idempotent."""
        if self._handle is None:
            return
        self._write()
        self._files.close()
        self._library.mfk_free(self._handle)
        self._handle = None

    def push(self, block: PacketBlock | SegmentBlock) -> None:
        """Take a block of packets; calls on sockets are none."""
        counters = self._context.counters
        if isinstance(block, SegmentBlock) or self._handle is None:
            counters.add("dropped", reason="not_packets", unit="blocks")
            return
        data = block.data
        view = data if isinstance(data, bytes) else bytes(data)
        count = self._library.mfk_push(
            self._handle, block.source, int(block.format), int(block.flags), block.link_type, view, len(view)
        )
        if count <= 0 and view:
            counters.add("dropped", reason="not_read", unit="blocks")
        counters.add("received", max(0, count), unit="packets")
        if self._library.mfk_waiting(self._handle) >= _CHUNK_BYTES:
            self._write()

    def tick(self, now_ns: int) -> None:
        """Write what waits, so that it can be found, and let go of what is too old."""
        self._write()
        now = self._context.clock.monotonic()
        if now - self._trimmed >= _TRIM_EVERY_S:
            self._trimmed = now
            self._context.counters.add("expired", self._files.trim(self._context.clock.time_ns() / 1e9), unit="bytes")

    def finish(self) -> None:
        """The input has ended."""
        self._write()

    def drain(self) -> Iterator[RecordBatch]:
        """Nothing: packets are no rows."""
        return iter(())

    def counters(self) -> Iterable[CounterSample]:
        """What was counted."""
        return self._context.counters.samples()

    def explain(self, flow_id: int) -> Sequence[Mapping[str, Any]]:
        """Nothing: no parser is asked here."""
        return []

    def _write(self) -> None:
        if self._handle is None:
            return
        raw = Raw()
        self._library.mfk_take(self._handle, ctypes.byref(raw))
        chunk = raw.copy()
        if not chunk:
            return
        now = self._context.clock.monotonic()
        if self._trouble and now < self._again:
            self._context.counters.add("dropped", len(chunk), reason="disk", unit="bytes")
            return
        try:
            self._files.write(chunk, self._context.clock.time_ns() / 1e9)
        except OSError as error:
            self._again = now + _AGAIN_AFTER_S
            self._context.counters.add("dropped", len(chunk), reason="disk", unit="bytes")
            trouble = f"packets are not kept: {self._folder}: {error.strerror or error}"
            if trouble != self._trouble:
                self._context.report("degraded", trouble)
            self._trouble = trouble
            return
        self._context.counters.add("written", len(chunk), unit="bytes")
        if self._trouble:
            self._trouble = ""
            self._context.report("running", "")
