"""The collector: a thread per ring, and a look now and then at which interfaces there are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable

from metaflow_collector_cbpf.config import CbpfConfig
from metaflow_collector_cbpf.filters import compile_filter, expression, without_outgoing
from metaflow_collector_cbpf.interfaces import Interface, choose, list_interfaces
from metaflow_collector_cbpf.ring import Ring
from metaflow_core.api import BlockFormat, BuildContext, Emit, EmitEnded, PacketBlock, Resource, ThreadEmit
from metaflow_core.errors import StartError

__all__ = ["CbpfCollector"]

_POLL_MS = 100
# Where nothing comes the thread wakes only to see whether it shall end: after two seconds of nothing less often. A packet wakes it at once.
_QUIET, _QUIET_POLL_MS = 20, 500
_STATISTICS_EVERY_S = 1.0


class CbpfCollector:
    """Captures from every chosen interface until it is stopped."""

    def __init__(self, context: BuildContext, config: CbpfConfig) -> None:
        self._context = context
        self._config = config
        self._expression = expression(config.filter, config.exclude_ports)
        self._rings: dict[str, list[Ring]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._gone: asyncio.Queue[str] = asyncio.Queue()
        self._refused: dict[str, str] = {}

    def resources(self) -> Iterable[Resource]:
        """Nothing exclusive: a packet socket takes copies."""
        return ()

    async def start(self) -> None:
        """Open the rings. An interface that went away meanwhile, or has no ring for us, costs only itself; it is tried again.

        :raises StartError: no interface matches, or none can be captured. :raises UnavailableError: the privilege is missing.
        """
        self._stopping.clear()
        present = list_interfaces()
        chosen = choose(self._config.interfaces, present)
        if not chosen:
            names = ", ".join(f"{item.name}{'' if item.is_up else ' (down)'}" for item in present) or "none"
            raise StartError(
                f"no interface that is up matches {', '.join(self._config.interfaces)}; this machine has: {names}"
            )
        last: StartError | None = None
        try:
            for interface in chosen:
                last = self._try(interface) or last
            if last is not None and not self._rings:
                raise last
        except BaseException:
            await self.stop()
            raise
        if last is not None:
            self._context.report("degraded", f"{last}; it is tried again")

    def _try(self, interface: Interface) -> StartError | None:
        """Open the rings of an interface; gives why there are none. The same reason is logged once."""
        try:
            self._open(interface)
        except StartError as error:
            for ring in self._rings.pop(interface.name, ()):
                ring.close()
            if self._refused.get(interface.name) != str(error):
                self._context.logger.warning("%s.", error)
            self._refused[interface.name] = str(error)
            return error
        self._refused.pop(interface.name, None)
        return None

    def _open(self, interface: Interface) -> None:
        program = compile_filter(self._expression, interface.link_type or 1)
        if interface.is_loopback:
            program = without_outgoing(program)
        # a group number that another process or interface will not have by chance
        group = (os.getpid() * 31 + interface.index) & 0xFFFF if self._config.rings > 1 else None
        rings: list[Ring] = []
        self._rings[interface.name] = rings
        for _ in range(self._config.rings):
            rings.append(  # noqa: PERF401 - rings opened before a failure must be known, to be closed
                Ring(
                    interface,
                    program,
                    ring_bytes=self._config.ring_mib << 20,
                    block_bytes=self._config.block_kib << 10,
                    retire_ms=self._config.retire_ms,
                    promiscuous=self._config.promiscuous,
                    fanout=group,
                )
            )

    async def run(self, emit: Emit) -> None:
        """Capture until cancelled."""
        loop, hand = asyncio.get_running_loop(), ThreadEmit(emit, self._stopping)
        for name in list(self._rings):
            self._spawn(name, hand, loop)
        while True:
            try:
                name = await asyncio.wait_for(self._gone.get(), self._config.rescan_s or None)
            except TimeoutError:
                name = ""
            if name:
                self._forget(name)
            if self._config.rescan_s:
                self._rescan(hand, loop)

    def _spawn(self, name: str, emit: ThreadEmit, loop: asyncio.AbstractEventLoop) -> None:
        for source, ring in enumerate(self._rings[name]):
            thread = threading.Thread(
                target=self._capture,
                args=(ring, (ring.interface.index << 6) | source, emit, loop),
                name=f"metaflow-{self._context.id}-{name}-{source}",
            )
            self._threads.append(thread)
            thread.start()

    def _capture(self, ring: Ring, source: int, emit: ThreadEmit, loop: asyncio.AbstractEventLoop) -> None:
        counters, clock = self._context.counters, self._context.clock
        link_type = ring.interface.link_type or 1
        looked = clock.monotonic()
        try:
            quiet = 0
            while not self._stopping.is_set():
                taken = ring.take(_POLL_MS if quiet < _QUIET else _QUIET_POLL_MS)
                quiet = quiet + 1 if taken is None else 0
                now = clock.monotonic()
                if now - looked >= _STATISTICS_EVERY_S:
                    looked = now
                    self._count(ring)
                if taken is None:
                    continue
                data, packets = taken
                counters.add("received", packets, unit="packets")
                block = PacketBlock(data, BlockFormat.TPACKET3, link_type, source)
                # waiting here is the back-pressure: the ring fills, and the kernel counts what it drops
                if not emit(block):
                    counters.add("dropped", packets, reason="stopping", unit="packets")
            self._count(ring)
        except OSError as error:
            if not self._stopping.is_set():
                self._context.report("degraded", f"{error.strerror or error}; it is taken up again when it returns")
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._gone.put_nowait, ring.interface.name)
        except EmitEnded:
            return
        finally:
            ring.close()

    def _count(self, ring: Ring) -> None:
        statistics = ring.statistics()
        if statistics.drops:
            self._context.counters.add("dropped", statistics.drops, reason="kernel_ring_full", unit="packets")
        if statistics.freezes:
            self._context.counters.add("ring", statistics.freezes, reason="frozen", unit="times")

    def _forget(self, name: str) -> None:
        self._rings.pop(name, None)
        self._threads = [thread for thread in self._threads if thread.is_alive()]

    def _rescan(self, emit: ThreadEmit, loop: asyncio.AbstractEventLoop) -> None:
        for interface in choose(self._config.interfaces, list_interfaces()):
            if interface.name in self._rings:
                continue
            if self._try(interface) is not None:
                continue
            self._spawn(interface.name, emit, loop)
            if not self._refused:
                self._context.report("running", "")

    async def stop(self) -> None:
        """End the threads and give the rings back. Idempotent."""
        self._stopping.set()
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)
        rings, self._rings = self._rings, {}
        for group in rings.values():
            for ring in group:
                ring.close()
