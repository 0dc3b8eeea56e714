"""What is looked at now and then, beside the drain: processes that come and go, TLS libraries, counters."""

from __future__ import annotations

import logging
import queue
import struct
import threading
import time
from collections.abc import Callable

from metaflow_collector_ebpf.attach import Probes
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.layout import COUNTERS, EXIT, position
from metaflow_collector_ebpf.looking import Eyes
from metaflow_collector_ebpf.processes import Process, list_pids, read_process
from metaflow_collector_ebpf.routines.following import Routines
from metaflow_collector_ebpf.session import Session
from metaflow_collector_ebpf.tls.libraries import LibraryFinder
from metaflow_collector_ebpf.tls.probing import TlsProbing
from metaflow_core.api import Counters

__all__ = ["Watch"]

_EVENT = struct.Struct("<IIQ")
_MOST_EVENTS = 4096
_EVERY_S = 1.0
_CALLS = position("calls")
# a process loads libraries after it has begun: it is looked at again when it is that old, in seconds
_LOOK_AGAIN = (1.0, 5.0, 30.0, 300.0)


class Watch:
    """A thread. Its work is bounded: events beyond a few thousand between two looks are replaced by a look at everything."""

    def __init__(
        self,
        session: Session,
        config: EbpfConfig,
        counters: Counters,
        logger: logging.Logger,
        report: Callable[[str, str], None],
    ) -> None:
        self._session = session
        self._eyes = Eyes(session, counters, logger, report)
        self._config = config
        self._counters = counters
        self._logger = logger
        self._events: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self._missed = threading.Event()
        self._stopping = threading.Event()
        self._known: dict[int, tuple[Process, list[float]]] = {}
        self._loads: dict[int, int] = {}
        self._io_uring: set[int] = set()
        self._loads_at = time.monotonic()
        self._tls: TlsProbing | None = None
        self._finder = LibraryFinder()
        self._routines: Routines | None = None
        self._thread = threading.Thread(target=self._run, name="metaflow-ebpf-watch", daemon=True)

    def start(self) -> None:
        """Look once at everything, then go on in a thread.

        The first look sets the TLS probes, so that what starts after the collector is seen from its first byte.
        """
        probes, refused = self._find_probes()
        self._routines = Routines(
            self._session,
            probes,
            self._finder,
            lambda stage, value, reason: self._counters.add(stage, value, reason=reason, unit="processes"),
            self._logger,
            enabled=self._config.goroutines,
        )
        if self._config.tls.enabled:
            try:
                if probes is None:
                    raise OSError(refused)
                self._tls = TlsProbing(
                    self._config.tls,
                    probes,
                    self._finder,
                    lambda stage, value, reason: self._counters.add(stage, value, reason=reason),
                    self._logger,
                )
                self._tls.start()
            except (OSError, ValueError) as error:
                self._session.notes.append(f"TLS stays closed: this kernel sets no user probes ({error})")
        self._look_at_everything()
        self._thread.start()

    def _find_probes(self) -> tuple[Probes | None, str]:
        try:
            return Probes(self._session.loaded.programs), ""
        except (OSError, ValueError) as error:
            return None, str(error)

    def tell(self, events: bytes) -> None:
        """Processes that began or ended, from the drain's thread; never waits."""
        try:
            self._events.put_nowait(events)
        except queue.Full:
            self._missed.set()

    def stop(self) -> None:
        """End the thread and take the probes away. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._tls:
            self._tls.stop()
        if self._routines:
            self._routines.stop()
        self._count()

    def _run(self) -> None:
        looked = counted = time.monotonic()
        while not self._stopping.is_set():
            try:
                events = self._events.get(timeout=0.2)
            except queue.Empty:
                events = b""
            self._take(events)
            now = time.monotonic()
            if now - counted >= _EVERY_S:
                counted = now
                self._eyes.tick(now, self._count()[_CALLS])
                self._guard()
                self._tell_io_uring()
            if self._missed.is_set() or now - looked >= self._config.tls.rescan_s:
                looked = now
                self._missed.clear()
                self._look_at_everything()

    def _take(self, events: bytes) -> None:
        if len(events) > _MOST_EVENTS * _EVENT.size:
            self._missed.set()
            return
        # of many changes of one process only the last matters
        whole = events[: len(events) // _EVENT.size * _EVENT.size]
        last = {pid: kind for kind, pid, _ in _EVENT.iter_unpack(whole)}
        for pid, kind in last.items():
            if kind == EXIT:
                self._forget(pid)
            else:
                self._known.pop(pid, None)
                self._look(pid, time.monotonic())

    def _look_at_everything(self) -> None:
        now = time.monotonic()
        present = set(list_pids())
        for pid in [pid for pid in self._known if pid not in present]:
            self._forget(pid)
        for pid in present:
            if self._stopping.is_set():
                return
            self._look(pid, now)

    def _look(self, pid: int, now: float) -> None:
        known = self._known.get(pid)
        if known and (not known[1] or now < known[1][0]):
            return
        process = read_process(pid)
        if process is None:
            return
        if known and known[0].start != process.start:
            known = None
        due = known[1][1:] if known else [now + age for age in _LOOK_AGAIN]
        self._known[pid] = (process, due)
        if self._session.rules.follows_processes:
            self._session.rules.seen(process)
        if not known and self._routines:
            self._routines.seen(process)
        if self._tls:
            self._tls.seen(process)

    def _forget(self, pid: int) -> None:
        self._known.pop(pid, None)
        self._loads.pop(pid, None)
        self._session.rules.gone(pid)
        if self._routines:
            self._routines.gone(pid)
        if self._tls:
            self._tls.gone(pid)

    def _count(self) -> list[int]:
        totals = self._session.counters()
        for (stage, reason, unit), value in zip(COUNTERS, totals, strict=True):
            self._counters.set(stage, value, reason=reason, unit=unit)
        return totals

    def _tell_io_uring(self) -> None:
        for pid in self._session.io_uring_calls().keys() - self._io_uring:
            self._io_uring.add(pid)
            known = self._known.get(pid)
            name = " or ".join(sorted(known[0].names)) if known else "gone"
            self._logger.warning(
                "Process %d (%s) moves bytes through io_uring in ways whose content is not seen: lists of buffers, one request that receives "
                "many times, or datagrams of a socket without a fixed peer. Switch io_uring off in it, or capture its packets too (collector cbpf).", pid, name,
            )  # fmt: skip

    def _guard(self) -> None:
        limit = self._config.tls.calls_per_second
        if not limit or not self._tls:
            return
        now = time.monotonic()
        seconds, self._loads_at = max(now - self._loads_at, 0.001), now
        loads = self._session.tls_calls()
        for pid, calls in loads.items():
            rate = (calls - self._loads.get(pid, calls)) / seconds
            if rate > limit and self._tls.too_busy(pid):
                self._counters.add("left_out", 1, reason="tls_too_busy", unit="processes")
                known = self._known.get(pid)
                name = " or ".join(sorted(known[0].names)) if known else "gone"
                self._logger.warning(
                    "Process %d (%s) calls its TLS library %d times a second, more than tls.calls_per_second (%d): its TLS is left "
                    "alone from now on.", pid, name, rate, limit,
                )  # fmt: skip
        self._loads = loads
