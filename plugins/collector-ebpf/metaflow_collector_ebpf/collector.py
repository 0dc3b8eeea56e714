"""The collector: kernel segments by the block."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Iterable

from metaflow_collector_ebpf.clock import BootClock
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.session import Session
from metaflow_collector_ebpf.watch import Watch
from metaflow_core.api import BuildContext, Emit, EmitEnded, Resource, SegmentBlock, ThreadEmit, TickBlock

__all__ = ["EbpfCollector"]

_TICK_EVERY_S = 1.0
# as many bytes are worth a block of their own at once; fewer wait for the next look
_WORTH_A_BLOCK = 262_144


class EbpfCollector:
    """Watches the sockets of this machine's processes until it is stopped."""

    def __init__(self, context: BuildContext, config: EbpfConfig) -> None:
        self._context = context
        self._config = config
        self._session: Session | None = None
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def resources(self) -> Iterable[Resource]:
        """Nothing exclusive: any number of programs may watch."""
        return ()

    @property
    def backend(self) -> str:
        """The backend in use, empty while stopped."""
        return self._session.backend if self._session else ""

    async def start(self) -> None:
        """Load the programs and attach them.

        :raises UnavailableError: a privilege or a kernel feature is missing; each is named. :raises StartError: the kernel
            refuses the programs; what its verifier said is in the log at level DEBUG.
        """
        self._stopping.clear()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        session = Session(self._config)
        self._session = session
        if session.log:
            self._context.logger.debug("What the verifier said:\n%s", session.log)
        watch = Watch(session, self._config, self._context.counters, self._context.logger, self._context.report)
        self._watch = watch
        watch.start()
        self._context.logger.info("Kernel programs are attached by the backend %s.", session.backend)
        for note in session.notes:
            self._context.logger.warning("%s.", note[:1].upper() + note[1:])
        if session.notes:
            self._context.report("degraded", "; ".join(session.notes))

    async def run(self, emit: Emit) -> None:
        """Hand blocks on until cancelled."""
        session, watch = self._session, self._watch
        if session is None or watch is None:
            return
        loop, hand = asyncio.get_running_loop(), ThreadEmit(emit, self._stopping)
        done = asyncio.Event()

        def work() -> None:
            try:
                self._drain(session, watch, hand)
            except EmitEnded:
                return
            finally:
                loop.call_soon_threadsafe(done.set) if not loop.is_closed() else None

        self._thread = threading.Thread(target=work, name=f"metaflow-{self._context.id}")
        self._thread.start()
        try:
            await done.wait()
        finally:
            self._stopping.set()

    def _drain(self, session: Session, watch: Watch, hand: ThreadEmit) -> None:
        clock = BootClock()
        ticked = time.monotonic()
        # edge-triggered: woken when the programs say so (wakeup_bytes), not whenever there is a record
        with select.epoll() as poll:
            poll.register(session.loaded.maps["records"].fd, select.EPOLLIN | select.EPOLLET)
            while not self._stopping.is_set():
                poll.poll(self._config.tick_ms / 1000)
                began = session.processes.drain(0)
                if began.data:
                    watch.tell(bytes(began.data))
                while not self._stopping.is_set() and self._hand_on(session, clock, hand):
                    pass
                now = time.monotonic()
                if now - ticked >= _TICK_EVERY_S:
                    ticked = now
                    hand(TickBlock(self._context.clock.time_ns()))

    def _hand_on(self, session: Session, clock: BootClock, hand: ThreadEmit) -> bool:
        """One block; true when as much again waits."""
        counters = self._context.counters
        drained = session.records.drain(clock.to_unix())
        if drained.damaged:
            counters.add("dropped", drained.damaged, reason="damaged_record")
        if not drained.data:
            return False
        counters.add("received", drained.records)
        counters.add("received", len(drained.data), unit="bytes")
        # waiting here is the back-pressure: the ring fills, and the kernel counts what it drops
        if not hand(SegmentBlock(drained.data)):
            counters.add("dropped", drained.records, reason="stopping")
        return session.records.queued() >= _WORTH_A_BLOCK

    async def stop(self) -> None:
        """End the threads and take everything out of the kernel. Idempotent."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        watch, self._watch = self._watch, None
        session, self._session = self._session, None
        if thread:
            await asyncio.to_thread(thread.join)
        # both wait for the kernel most of the time
        if session:
            await asyncio.gather(
                asyncio.to_thread(session.detach), asyncio.to_thread(watch.stop) if watch else asyncio.sleep(0)
            )
            await asyncio.to_thread(session.close)
