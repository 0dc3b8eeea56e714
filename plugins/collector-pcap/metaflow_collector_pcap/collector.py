"""The collector: one file by the block, or several (or filtered ones) packet by packet in the order of time."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Iterable, Iterator

from metaflow_collector_pcap.config import PcapConfig
from metaflow_collector_pcap.filtering import CaptureFilter
from metaflow_collector_pcap.opening import OpenCapture, open_capture
from metaflow_collector_pcap.packets import Packet, pack, packets
from metaflow_core.api import BlockFormat, BuildContext, Emit, PacketBlock, Resource

__all__ = ["PcapCollector"]


class PcapCollector:
    """Reads capture files to their end, then returns.

    Damage in a file ends that file alone: what stood before it is kept, and it is counted (``frames / damaged_file``).
    """

    def __init__(self, context: BuildContext, config: PcapConfig) -> None:
        self._context = context
        self._config = config
        self._filter: CaptureFilter | None = None
        self._captures: list[OpenCapture] = []

    def resources(self) -> Iterable[Resource]:
        """Nothing exclusive: reading a file leaves it to others."""
        return ()

    async def start(self) -> None:
        """Open every file, so that a missing one is found before anything runs.

        :raises InputError: a file cannot be read or the filter is wrong.
        """
        if self._config.filter:
            self._filter = CaptureFilter(self._config.filter)
        for name in self._config.files:
            self._captures.append(open_capture(name))

    async def stop(self) -> None:
        """Close everything. Idempotent."""
        captures, self._captures = self._captures, []
        for capture in captures:
            capture.close()
        if self._filter is not None:
            self._filter.close()

    async def run(self, emit: Emit) -> None:
        """Emit every block of every file."""
        for block in self._blocks():
            await emit(block)
            # a fast pipeline never makes emit wait; let the loop breathe all the same
            await asyncio.sleep(0)

    def blocks(self) -> Iterator[PacketBlock]:
        """The same without an event loop, for replays."""
        return self._blocks()

    def _blocks(self) -> Iterator[PacketBlock]:
        if len(self._captures) == 1 and self._filter is None:
            return self._raw_blocks(self._captures[0])
        return self._packed_blocks()

    def _raw_blocks(self, capture: OpenCapture) -> Iterator[PacketBlock]:
        while True:
            try:
                data = capture.read(self._config.block_bytes)
            except EOFError as error:
                self._damaged(error)
                return
            if not data:
                return
            self._context.counters.add("received", len(data), unit="bytes")
            yield PacketBlock(data, capture.format, capture.link_type, 0, capture.flags)

    def _packed_blocks(self) -> Iterator[PacketBlock]:
        streams = [self._ordered(index, capture) for index, capture in enumerate(self._captures)]
        parts: list[bytes] = []
        size = 0
        for _, _, interface, packet in heapq.merge(*streams, key=lambda item: item[:2]):
            record = pack(packet, interface)
            parts.append(record)
            size += len(record)
            if size >= self._config.block_bytes:
                yield self._packed(parts, size)
                parts, size = [], 0
        if parts:
            yield self._packed(parts, size)

    def _packed(self, parts: list[bytes], size: int) -> PacketBlock:
        self._context.counters.add("received", size, unit="bytes")
        return PacketBlock(b"".join(parts), BlockFormat.RECORDS)

    def _ordered(self, index: int, capture: OpenCapture) -> Iterator[tuple[int, int, int, Packet]]:
        """``(timestamp, file, interface, packet)``; the file's place breaks ties, so that the order is always the same."""
        chosen = self._filter
        rejected = 0
        with contextlib.closing(packets(capture)) as stream:  # type: ignore[type-var]  # a generator has close()
            try:
                for packet in stream:
                    if chosen is not None and not chosen.matches(packet.link_type, packet.wire_len, packet.data):
                        rejected += 1
                        continue
                    yield packet.timestamp_ns, index, (index << 8) | (packet.interface & 0xFF), packet
            except EOFError as error:
                self._damaged(error)
        if rejected:
            self._context.counters.add("dropped", rejected, reason="filter", unit="packets")

    def _damaged(self, error: EOFError) -> None:
        self._context.counters.add("frames", 1, reason="damaged_file", unit="errors")
        self._context.logger.warning("%s.", error)
