"""The collector: a thread per device."""

from __future__ import annotations

import asyncio
import fnmatch
import sys
import threading
from collections.abc import Iterable

from metaflow_collector_winpcap.config import WinpcapConfig
from metaflow_collector_winpcap.device import Device
from metaflow_collector_winpcap.library import devices, load_library
from metaflow_core.api import BlockFlag, BlockFormat, BuildContext, Emit, EmitEnded, PacketBlock, Resource, ThreadEmit
from metaflow_core.errors import StartError

__all__ = ["WinpcapCollector"]

_STATISTICS_EVERY_S = 1.0
_BYTE_ORDER = BlockFlag.BIG_ENDIAN if sys.byteorder == "big" else BlockFlag.NONE


class WinpcapCollector:
    """Captures from every chosen device until it is stopped."""

    def __init__(self, context: BuildContext, config: WinpcapConfig) -> None:
        self._context = context
        self._config = config
        self._devices: list[Device] = []
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def resources(self) -> Iterable[Resource]:
        """Nothing exclusive: a capture takes copies."""
        return ()

    async def start(self) -> None:
        """Load the library and open the devices.

        :raises UnavailableError: library or privilege is missing. :raises StartError: no device matches.
        """
        self._stopping.clear()
        library = load_library(self._config.library)
        present = devices(library)
        names = [
            name for name, _ in present if any(fnmatch.fnmatchcase(name, item) for item in self._config.interfaces)
        ]
        # a name without wildcards is tried even when the library does not list it: listing may need more than opening
        names += [item for item in self._config.interfaces if item not in names and not set("*?[") & set(item)]
        if not names:
            known = ", ".join(f"{name} ({text})" if text else name for name, text in present) or "none"
            raise StartError(f"no device matches {', '.join(self._config.interfaces)}; the library knows: {known}")
        try:
            for name in names:
                self._devices.append(
                    Device(
                        library,
                        name,
                        capture_filter=self._config.filter,
                        snap_len=self._config.snap_len,
                        promiscuous=self._config.promiscuous,
                        read_ms=self._config.read_ms,
                    )
                )
        except BaseException:
            await self.stop()
            raise

    async def run(self, emit: Emit) -> None:
        """Capture until cancelled, or until every device has gone."""
        hand = ThreadEmit(emit, self._stopping)
        for source, device in enumerate(self._devices):
            thread = threading.Thread(
                target=self._capture,
                args=(device, source, hand),
                name=f"metaflow-{self._context.id}-{source}",
            )
            self._threads.append(thread)
            thread.start()
        while any(thread.is_alive() for thread in self._threads):
            await asyncio.sleep(0.2)

    def _capture(self, device: Device, source: int, emit: ThreadEmit) -> None:
        counters, clock = self._context.counters, self._context.clock
        looked = clock.monotonic()
        wait_s = self._config.read_ms / 1000
        try:
            while not self._stopping.is_set():
                data, packets = device.take(self._config.block_bytes)
                now = clock.monotonic()
                if now - looked >= _STATISTICS_EVERY_S:
                    looked = now
                    self._count(device)
                if not packets:
                    self._stopping.wait(wait_s)
                    continue
                counters.add("received", packets, unit="packets")
                block = PacketBlock(data, BlockFormat.PCAP, device.link_type, source, _BYTE_ORDER)
                if not emit(block):
                    counters.add("dropped", packets, reason="stopping", unit="packets")
            self._count(device)
        except OSError as error:
            self._context.report("degraded", f"{error}; restart MetaFlow when the device is back")
        except EmitEnded:
            return
        finally:
            device.close()

    def _count(self, device: Device) -> None:
        by_kernel, by_interface = device.drops()
        if by_kernel:
            self._context.counters.add("dropped", by_kernel, reason="kernel_buffer_full", unit="packets")
        if by_interface:
            self._context.counters.add("dropped", by_interface, reason="interface", unit="packets")

    async def stop(self) -> None:
        """End the threads and close the devices. Idempotent."""
        self._stopping.set()
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)
        opened, self._devices = self._devices, []
        for device in opened:
            device.close()
