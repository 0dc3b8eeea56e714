"""The configuration's names turned into what the kernel programs look up: process numbers, ports, control groups."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.kernel.calls import Map
from metaflow_collector_ebpf.layout import ALLOW, DENY, ProgramConfig
from metaflow_collector_ebpf.processes import Process, matches
from metaflow_core.errors import StartError

__all__ = ["Rules"]

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_CGROUP_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


class Rules:
    """Who is watched. Names are looked up when a process is seen, so that programs started later are found too."""

    def __init__(self, config: EbpfConfig, maps: Mapping[str, Map]) -> None:
        self._config = config
        self._maps = maps
        self._ruled: set[int] = set()

    @property
    def follows_processes(self) -> bool:
        """Whether names of processes matter, so that new ones must be looked at."""
        return bool(self._config.processes or self._config.exclude_processes)

    def fill(self, programs: ProgramConfig) -> None:
        """Put ports, control groups and process numbers into their maps, and say in ``programs`` what is to be looked up.

        :raises StartError: a control group does not exist.
        """
        config = self._config
        for port in config.exclude_ports:
            self._maps["port_rules"].update(_U32.pack(port), _U32.pack(DENY))
        for port in config.ports:
            self._maps["port_rules"].update(_U32.pack(port), _U32.pack(ALLOW))
        for group in config.cgroups:
            self._maps["cgroup_rules"].update(_U64.pack(_cgroup_id(group)), _U32.pack(ALLOW))
        for group in config.exclude_cgroups:
            self._maps["cgroup_rules"].update(_U64.pack(_cgroup_id(group)), _U32.pack(DENY))
        for pid in config.exclude_pids:
            self._maps["process_rules"].update(_U32.pack(pid), _U32.pack(DENY))
        # a program that lives shorter than it takes to look at it is known by its plain name
        for names, rule in ((config.processes, ALLOW), (config.exclude_processes, DENY)):
            for name in names:
                if not set(name) & set("*?["):
                    self._maps["name_rules"].update(name.encode()[:15].ljust(16, b"\0"), _U32.pack(rule))
                    programs.check_names = True
        programs.only_processes, programs.only_ports, programs.only_cgroups = (
            bool(config.processes),
            bool(config.ports),
            bool(config.cgroups),
        )
        programs.check_processes = bool(config.processes or config.exclude_processes or config.exclude_pids)
        programs.check_ports = bool(config.ports or config.exclude_ports)
        programs.check_cgroups = bool(config.cgroups or config.exclude_cgroups)

    def seen(self, process: Process) -> None:
        """A process runs, or runs another program than before."""
        if process.pid in self._config.exclude_pids:
            return
        key = _U32.pack(process.pid)
        if matches(process, self._config.exclude_processes):
            rule = DENY
        elif matches(process, self._config.processes):
            rule = ALLOW
        else:
            self.gone(process.pid)
            return
        try:
            self._maps["process_rules"].update(key, _U32.pack(rule))
        except OSError:
            return  # the map is full: with "only" the process is not watched, else it is
        self._ruled.add(process.pid)

    def gone(self, pid: int) -> None:
        """A process ended, or needs no rule any more."""
        if pid in self._ruled:
            self._ruled.discard(pid)
            self._maps["process_rules"].delete(_U32.pack(pid))


def _cgroup_id(path: str) -> int:
    """A control group's id is the inode of its folder."""
    for root in _CGROUP_ROOTS:
        try:
            return Path(root, path.lstrip("/")).stat().st_ino
        except OSError:
            continue
    raise StartError(
        f"there is no control group {path!r} below {' or '.join(_CGROUP_ROOTS)}; see /proc/PID/cgroup for a process's"
    )
