"""Go programs that run: their goroutines told apart, and where net/http's client hands requests on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from metaflow_collector_ebpf.attach import Place, Probes, close_all
from metaflow_collector_ebpf.processes import Process
from metaflow_collector_ebpf.routines.runtime import GoRuntime
from metaflow_collector_ebpf.session import Session
from metaflow_collector_ebpf.tls.libraries import Library, LibraryFinder

__all__ = ["Routines"]


@dataclass(slots=True)
class _File:
    users: set[int] = field(default_factory=set)
    held: list[int] = field(default_factory=list)


class Routines:
    """Tells the kernel programs of each Go process. Used by one thread.

    :param probes: None where this kernel has none; then requests of net/http's client are nobody's.
    :param count: ``count(stage, value, reason)``, of processes.
    """

    def __init__(
        self,
        session: Session,
        probes: Probes | None,
        finder: LibraryFinder,
        count: Callable[[str, int, str], None],
        logger: logging.Logger,
        *,
        enabled: bool,
    ) -> None:
        self._session = session
        self._probes = probes
        self._finder = finder
        self._count = count
        self._logger = logger
        self._enabled = enabled
        self._files: dict[tuple[int, int], _File] = {}
        self._unknown: set[str] = set()
        self._generation = 0

    def seen(self, process: Process) -> None:
        """A process runs, or runs another program than before."""
        self.gone(process.pid)
        program = self._finder.go_program(process.pid)
        if program is None or program.runtime is None:
            return
        if not self._enabled:
            self._session.runs_coroutines(process.pid, GoRuntime("").pack(0))
            return
        self._generation += 1
        self._session.runs_coroutines(process.pid, program.runtime.pack(self._generation))
        if program.runtime.is_known:
            self._count("goroutines", 1, "")
            self._attach(program, process.pid)
            return
        self._count("left_out", 1, "go_version")
        version = program.runtime.version or "a version that it does not tell"
        if version not in self._unknown:
            self._unknown.add(version)
            self._logger.warning(
                "Process %d (%s) was made by Go of %s, whose goroutines this collector cannot tell apart: its calls are linked by headers "
                "alone.", process.pid, " or ".join(sorted(process.names)), version,
            )  # fmt: skip

    def gone(self, pid: int) -> None:
        """A process ended, or runs something else; its number may be given to another."""
        self._session.forget_coroutines(pid)
        for key, file in list(self._files.items()):
            if pid in file.users:
                file.users.discard(pid)
                if not file.users:
                    close_all(file.held)
                    del self._files[key]

    def stop(self) -> None:
        """Take every probe away. Idempotent."""
        held = [fd for file in self._files.values() for fd in file.held]
        self._files.clear()
        close_all(held)

    def _attach(self, program: Library, pid: int) -> None:
        if self._probes is None or not program.asks:
            return
        file = self._files.get(program.key)
        if file is None:
            file = self._files[program.key] = _File()
            places = [Place(point, offset) for point, offset, _ in program.asks]
            try:
                file.held = self._probes.attach(f"/proc/{pid}/exe", places)
            except OSError as error:
                self._count("left_out", 1, "go_client_refused")
                self._logger.warning(
                    "%s: the kernel sets no probe in its HTTP client (%s); requests that it sends are linked by headers alone.",
                    program.path, error,
                )  # fmt: skip
        file.users.add(pid)
