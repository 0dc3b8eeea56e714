"""The kernel: release, BTF, tracefs, the BPF system call and the settings that keep it away.

Sources: Documentation/admin-guide/sysctl/{kernel,net}.rst, Documentation/bpf/btf.rst, bpf(2), kernel_lockdown(7).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_doctor.proc import Root, is_linux

__all__ = ["look", "read"]

_OK, _NOTE, _MISSING = FindingState.OK, FindingState.NOTE, FindingState.MISSING
_RING_BUFFER = (5, 8)
"""The first release with CAP_BPF and BPF_MAP_TYPE_RINGBUF."""


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of this machine."""
    if not is_linux():
        said = f"{platform.system()} {platform.release()}: kernel events and AF_PACKET are Linux' alone"
        return [
            Finding(_MISSING, "kernel", said, "capture through the pcap library, or read captures: mflow read FILE")
        ]
    return list(read(Root(), platform.release(), platform.machine()))


def read(root: Root, release: str, machine: str) -> Iterator[Finding]:
    """Of the machine below a root."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if version >= _RING_BUFFER:
        yield Finding(_OK, "release", f"Linux {release} on {machine}")
    else:
        said = f"Linux {release} on {machine}: older than 5.8, so without ring buffers and CAP_BPF"
        yield Finding(
            _MISSING, "release", said, "packets can be captured all the same; for kernel events use 5.8 or newer"
        )
    yield _btf(root)
    yield _tracefs(root)
    yield from _settings(root)


def _btf(root: Root) -> Finding:
    path = root.path("/sys/kernel/btf/vmlinux")
    try:
        size = path.stat().st_size
    except OSError:
        remedy = (
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (every current distribution's is); packets need no BTF"
        )
        return Finding(_MISSING, "BTF", "/sys/kernel/btf/vmlinux is not there", remedy)
    return Finding(_OK, "BTF", f"/sys/kernel/btf/vmlinux, {size / 1e6:.1f} MB")


def _tracefs(root: Root) -> Finding:
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        try:
            is_there = root.path(f"{place}/events").is_dir()
        except PermissionError:
            return Finding(
                _MISSING, "tracefs", f"{place} may not be read by this user", "run as root: sudo mflow doctor"
            )
        if is_there:
            return Finding(_OK, "tracefs", f"mounted at {place}")
    mounted = any(line.split()[2:3] == ["tracefs"] for line in (root.text("/proc/mounts") or "").splitlines())
    if mounted:
        return Finding(_MISSING, "tracefs", "mounted, but this user may not read it", "run as root: sudo mflow doctor")
    remedy = "mount -t tracefs tracefs /sys/kernel/tracing; in a container, mount the host's there"
    return Finding(_MISSING, "tracefs", "not mounted, so there are no tracepoints to attach to", remedy)


def _settings(root: Root) -> Iterator[Finding]:
    jit = root.number("/proc/sys/net/core/bpf_jit_enable")
    if jit == 0:
        yield Finding(
            _NOTE, "BPF JIT", "off: filters and programs are interpreted", "sysctl -w net.core.bpf_jit_enable=1"
        )
    refused = root.number("/proc/sys/kernel/unprivileged_bpf_disabled")
    if refused is not None:
        words = {0: "anyone may load programs", 1: "only CAP_BPF, until the next boot", 2: "only CAP_BPF"}
        yield Finding(_OK, "unprivileged BPF", f"{refused}: {words.get(refused, 'unknown')}")
    paranoid = root.number("/proc/sys/kernel/perf_event_paranoid")
    if paranoid is not None:
        limit = "kernel profiling needs CAP_PERFMON" if paranoid >= 2 else "kernel profiling is open to all"
        yield Finding(_OK, "perf_event_paranoid", f"{paranoid}: {limit}")
    lockdown = re.search(r"\[(\w+)\]", root.text("/sys/kernel/security/lockdown") or "")
    if lockdown and lockdown[1] == "confidentiality":
        said = "confidentiality: BPF programs may not read kernel memory"
        yield Finding(
            _MISSING, "lockdown", said, "boot without lockdown=confidentiality; packets are captured all the same"
        )
