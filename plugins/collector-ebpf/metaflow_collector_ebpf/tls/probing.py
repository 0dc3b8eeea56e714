"""Which libraries are probed for which processes, kept in step with what runs.

A library is probed once for every process that maps it: nothing is missed, however short a process lives. Only when one of
them may not be looked into (by configuration, or because it costs too much) is the library probed process by process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from metaflow_collector_ebpf.attach import Place, Probes, close_all
from metaflow_collector_ebpf.config import TlsConfig
from metaflow_collector_ebpf.processes import Process, matches
from metaflow_collector_ebpf.tls.libraries import Library, LibraryFinder

__all__ = ["TlsProbing"]

_MOST_PROCESSES = 256
_ALL = -1


@dataclass(slots=True)
class _Target:
    library: Library
    users: dict[int, bool] = field(default_factory=dict)
    held: dict[int, list[int]] = field(default_factory=dict)
    refused: str = ""


class TlsProbing:
    """Sets and takes away probes. Used by one thread.

    :param count: ``count(stage, value, reason)``.
    """

    def __init__(
        self,
        config: TlsConfig,
        probes: Probes,
        finder: LibraryFinder,
        count: Callable[[str, int, str], None],
        logger: logging.Logger,
    ) -> None:
        self._config = config
        self._probes = probes
        self._count = count
        self._logger = logger
        self._finder = finder
        self._targets: dict[tuple[int, int], _Target] = {}
        self._too_busy: set[int] = set()

    def start(self) -> None:
        """Probe what this machine's package manager installed."""
        if self._config.processes == ("*",):
            for library in self._finder.well_known():
                self._settle(self._targets.setdefault(library.key, _Target(library)))

    def seen(self, process: Process) -> None:
        """A process runs, or runs another program than before."""
        for library in self._finder.of_process(process.pid):
            target = self._targets.setdefault(library.key, _Target(library))
            if not target.users and not target.held:
                target.library = library  # the path through another process may be gone
            target.users[process.pid] = self._allowed(process)
            self._settle(target)

    def gone(self, pid: int) -> None:
        """A process ended."""
        self._too_busy.discard(pid)
        for target in self._targets.values():
            if target.users.pop(pid, None) is not None:
                self._settle(target)

    def too_busy(self, pid: int) -> bool:
        """Leave a process alone that calls its library too often; False when that was so already."""
        if pid in self._too_busy:
            return False
        self._too_busy.add(pid)
        for target in self._targets.values():
            if pid in target.users:
                target.users[pid] = False
                self._settle(target)
        return True

    def libraries(self) -> int:
        """How many files are probed now."""
        return sum(1 for target in self._targets.values() if target.held)

    def stop(self) -> None:
        """Take every probe away. Idempotent."""
        held = [fd for target in self._targets.values() for fds in target.held.values() for fd in fds]
        self._targets.clear()
        close_all(held)

    def _allowed(self, process: Process) -> bool:
        return (
            process.pid not in self._too_busy
            and matches(process, self._config.processes)
            and not matches(process, self._config.exclude)
        )

    def _settle(self, target: _Target) -> None:
        shared = self._config.processes == ("*",) and all(target.users.values())
        if shared:
            wanted = {_ALL}
        else:
            allowed = [pid for pid, is_allowed in target.users.items() if is_allowed]
            if len(allowed) > _MOST_PROCESSES:
                self._count("left_out", len(allowed) - _MOST_PROCESSES, "too_many_tls_processes")
            wanted = set(allowed[:_MOST_PROCESSES])
        for pid in set(target.held) - wanted:
            close_all(target.held.pop(pid))
        for pid in wanted - set(target.held):
            self._attach(target, pid)

    def _attach(self, target: _Target, pid: int) -> None:
        places = [Place(point, offset, returns) for point, offset, returns in target.library.points]
        try:
            target.held[pid] = self._probes.attach(target.library.path, places, pid)
        except OSError as error:
            if pid == _ALL and not target.refused:
                target.refused = str(error)
                self._count("left_out", 1, "tls_library_refused")
                self._logger.warning(
                    "%s: its TLS stays closed, the kernel sets no probe there: %s.", target.library.path, error
                )
