"""Looks at /proc now and then, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from metaflow_core.api import Counters
from metaflow_tagger_process.config import ProcessTaggerConfig
from metaflow_tagger_process.endpoints import Endpoints
from metaflow_tagger_process.lives import Lives
from metaflow_tagger_process.processes import Process, list_processes, read_process
from metaflow_tagger_process.ruling import Ruling
from metaflow_tagger_process.sockets import Socket, holders, local_addresses, read_tables

__all__ = ["Sampler"]

_DEEPEST = 8
# a process may run another program under the same number: its name is read again at these ages, and now and then after
_READ_AGAIN_S = (2.0, 10.0, 60.0)
# The kernel walks its whole hash to print the sockets of a machine that has three of them. Where no rows come and no
# process comes or goes, they are looked at in each so many looks only.
_IDLE_LOOKS = 5
# Processes come and go on a machine that nobody asks anything of, too: they count as long as rows came within so many looks.
_LOOKS_AFTER_ROWS = 30
# Whoever holds a socket is found by going through all descriptors of all processes. One that nobody was found for in two looks (the kernel's
# own, or another user's without the privilege to see) is not looked for again.
_SEARCHES = 2
# Part of a core that sockets may take: a machine with many of them is looked at more rarely, in each so many looks at the least.
_SHARE = 0.02
_RAREST = 5


class Sampler:
    """Keeps :class:`Lives` and :class:`Endpoints` in step with the machine."""

    def __init__(self, config: ProcessTaggerConfig, counters: Counters, root: Path = Path("/proc")) -> None:
        self._config = config
        self._counters = counters
        self._root = root
        history = int(config.history_s * 1e9)
        self.lives = Lives(config.max_processes, history)
        self.endpoints = Endpoints(config.max_sockets, history, int(config.sample_s * 2e9))
        self._boot_ns = _boot_time()
        self._ruling = Ruling(config.rules)
        self._holders: dict[int, int] = {}
        self._due: dict[int, list[float]] = {}
        self._wanted = True
        self._idle = 0
        self._since_rows = _LOOKS_AFTER_ROWS
        self._searched: dict[int, int] = {}
        self._rests_until = 0.0
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metaflow-processes", daemon=True)

    def start(self) -> None:
        """Look once, then go on in a thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._config.sample_s):
            self._look(everything=False)

    def rows_come(self) -> None:
        """Rows are about to be tagged: sockets that were not looked at for lack of rows are looked at now."""
        if self._idle > 1:
            self.look()
        self._wanted = True
        self._since_rows = 0

    def tree(self, process: Process) -> Sequence[Process]:
        """Parents of a process that still run, nearest first."""
        found: list[Process] = []
        life = self.lives.running.get(process.parent)
        while life and len(found) < _DEEPEST and life.process not in found:
            found.append(life.process)
            life = self.lives.running.get(life.process.parent)
        return found

    def look(self) -> None:
        """Look at every process, and at the sockets."""
        self._look(everything=True)

    def _look(self, *, everything: bool) -> None:
        with self._looking:
            now = time.time_ns()
            is_news = self._processes(now) and self._since_rows < _LOOKS_AFTER_ROWS
            self._since_rows += 1
            if self._config.sockets:
                clock = time.monotonic()
                is_wanted = is_news or self._wanted or self._idle + 1 >= _IDLE_LOOKS
                if everything or (is_wanted and clock >= self._rests_until):
                    self._wanted = is_news
                    self._idle = 0
                    began = time.thread_time()
                    self._sockets(now)
                    rest = (time.thread_time() - began) / _SHARE
                    # half a look less: looks are never exactly as far apart as they should be
                    most = (_RAREST - 0.5) * self._config.sample_s
                    self._rests_until = clock + min(rest, most) if rest > self._config.sample_s else 0.0
                elif is_wanted:
                    self._wanted = True
                else:
                    self._idle += 1
            self._counters.set("looked", int(time.monotonic()), unit="seconds")

    def _processes(self, now: int) -> bool:
        """Keep up with processes; whether some came or went."""
        is_news = False
        present = dict(list_processes(self._root))
        clock = time.monotonic()
        for pid in [pid for pid in self.lives.running if pid not in present]:
            self.lives.ended(pid, now)
            self._due.pop(pid, None)
            is_news = True
        for pid, inode in present.items():
            life = self.lives.running.get(pid)
            due = self._due.get(pid)
            if life and life.inode == inode and not (due and clock >= due[0]):
                continue
            process = read_process(pid, self._boot_ns, command_line=self._config.command_line, root=self._root)
            if process is None:
                continue
            above = self.lives.running.get(process.parent)
            process = self._ruling.apply(process, above.process if above else None)
            if life and life.process.start == process.start:
                self._due[pid] = (due or [])[1:]
            else:
                is_news = True
                self._due[pid] = [clock + age for age in _READ_AGAIN_S]
            if not self.lives.began(process, inode):
                self._counters.add("left_out", reason="too_many_processes", unit="processes")
        self.lives.forget(now)
        return is_news

    def _sockets(self, now: int) -> None:
        # one process of each network namespace shows its tables; the one of this process comes first
        own = next((life.process.netns for pid, life in self.lives.running.items() if pid == _self(self._root)), 0)
        members: dict[int, list[int]] = {}
        for pid, life in self.lives.running.items():
            if life.process.netns:
                members.setdefault(life.process.netns, []).append(pid)
        tables: list[tuple[list[Socket], set[bytes]]] = []
        for netns in sorted(members, key=lambda item: item != own):
            shown = members[netns][0]
            tables.append((list(read_tables(shown, self._root)), local_addresses(shown, self._root)))
        inodes = {socket.inode for sockets, _ in tables for socket in sockets}
        held = {inode: pid for inode, pid in self._holders.items() if inode in inodes and pid in self.lives.running}
        unknown = inodes - held.keys()
        self._searched = {inode: self._searched.get(inode, 0) + 1 for inode in unknown}
        if any(searches <= _SEARCHES for searches in self._searched.values()):
            for inode, pids in holders(list(self.lives.running), unknown, self._root).items():
                held[inode] = min(
                    pids,
                    key=lambda pid: (
                        (self.lives.running[pid].process.start, pid) if pid in self.lives.running else (1 << 62, pid)
                    ),
                )
        self._holders = held
        self.endpoints.begin(now)
        for sockets, addresses in tables:
            for socket in sockets:
                self._hold(socket, addresses)
        self.endpoints.done()
        if self.endpoints.refused:
            self._counters.set("left_out", self.endpoints.refused, reason="too_many_sockets", unit="sockets")

    def _hold(self, socket: Socket, addresses: set[bytes]) -> None:
        life = self.lives.running.get(self._holders.get(socket.inode, 0))
        if life is None:
            return
        if not socket.open:
            self.endpoints.held(
                socket.protocol, socket.local, socket.local_port, socket.remote, socket.remote_port, life.process
            )
            return
        if any(socket.local):
            self.endpoints.held(socket.protocol, socket.local, socket.local_port, b"", 0, life.process)
            return
        # waits at every address; one for IPv6 usually takes IPv4 too
        for address in addresses:
            if len(socket.local) == 16 or len(address) == 4:
                self.endpoints.held(socket.protocol, address, socket.local_port, b"", 0, life.process)


def _boot_time() -> int:
    """When the machine started, by two clocks: the kernel's own figure is only exact to a second."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _self(root: Path) -> int:
    try:
        return int((root / "self").readlink().name)
    except (OSError, ValueError):
        return 0
