"""What this machine lets a process do with eBPF: each finding with its reason, nothing changed."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metaflow_collector_ebpf.attach import find_tracefs
from metaflow_collector_ebpf.kernel.calls import create_map

__all__ = ["Finding", "bcc_path", "examine", "missing_capabilities"]

# linux/capability.h
_CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
_RINGBUF = 27
_BCC_PATHS = (Path("/usr/lib/python3/dist-packages"), Path("/usr/lib/python3/site-packages"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :ivar name: what. :ivar ok: whether it is there. :ivar needed: whether nothing works without it.
    :ivar sentence: what was found, and what to do about it.
    """

    name: str
    ok: bool
    needed: bool
    sentence: str


def missing_capabilities(status: str | None = None) -> list[str]:
    """Capabilities that this process lacks; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, and is needed for user probes."""
    text = status if status is not None else Path("/proc/self/status").read_text()
    line = next((line for line in text.splitlines() if line.startswith("CapEff:")), "CapEff:\t0")
    effective = int(line.split()[1], 16)
    has = {name for name, bit in _CAPABILITIES.items() if effective >> bit & 1}
    if "CAP_SYS_ADMIN" in has:
        has |= {"CAP_BPF", "CAP_PERFMON"}
    return [name for name in _CAPABILITIES if name not in has]


def bcc_path() -> Path | None:
    """The folder that holds the distribution's ``bcc`` module (never PyPI's package of that name, which is something else)."""
    return next((path for path in _BCC_PATHS if (path / "bcc" / "libbcc.py").exists()), None)


def examine() -> list[Finding]:
    """Everything that decides which backend works, in the order in which it matters."""
    if not sys.platform.startswith("linux"):
        return [Finding("linux", False, True, f"eBPF is a feature of Linux; this is {sys.platform}")]
    missing = missing_capabilities()
    needed = [name for name in missing if name in ("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH")]
    findings = [
        Finding("linux", True, True, f"Linux {platform.release()} on {platform.machine()}"),
        Finding(
            "capabilities",
            not needed,
            True,
            f"this process lacks {', '.join(needed)}; run as root, or grant them (setcap on the interpreter, AmbientCapabilities in a unit)"
            if needed
            else "CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH are there",
        ),
        Finding(
            "user probes",
            not {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"} & set(missing)
            and Path("/sys/bus/event_source/devices/uprobe").exists(),
            False,
            _user_probes(missing),
        ),
        _tracefs(),
        _readable(
            "btf", Path("/sys/kernel/btf/vmlinux"), "the kernel describes its types", "CONFIG_DEBUG_INFO_BTF is off"
        ),
        _ring_buffer(),
    ]
    path = bcc_path()
    findings.append(
        Finding(
            "bcc",
            path is not None,
            False,
            f"found in {path}" if path else "not installed (Debian: apt-get install python3-bpfcc)",
        )
    )
    return findings


def _user_probes(missing: list[str]) -> str:
    lacking = [name for name in ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE") if name in missing]
    if lacking:
        return (
            f"TLS plain text needs {' and '.join(lacking)}, which this process lacks; ciphertext is all there is to see"
        )
    if not Path("/sys/bus/event_source/devices/uprobe").exists():
        return "this kernel has no user probes (CONFIG_UPROBE_EVENTS), so that TLS stays closed"
    return "user probes can be set"


def _tracefs() -> Finding:
    path = find_tracefs()
    if path:
        return Finding("tracefs", True, True, f"tracepoints are in {path}")
    return Finding(
        "tracefs",
        False,
        True,
        "no tracepoints: tracefs is not mounted, or not readable; run: mount -t tracefs none /sys/kernel/tracing",
    )


def _readable(name: str, path: Path, there: str, absent: str) -> Finding:
    if os.access(path, os.R_OK):
        return Finding(name, True, True, f"{there} in {path}")
    return Finding(name, False, True, f"{path} cannot be read ({absent}, or the kernel is older than 5.4)")


def _ring_buffer(make: Callable[..., object] = create_map) -> Finding:
    try:
        made = make(_RINGBUF, 0, 0, 4096, "probe")
    except OSError as error:
        if error.errno == errno.EPERM:
            return Finding("ring buffer", False, True, "not allowed to make a map: CAP_BPF is missing")
        return Finding("ring buffer", False, True, f"this kernel has no ring buffers (it is older than 5.8): {error}")
    fd = getattr(made, "fd", -1)
    if fd >= 0:
        os.close(fd)
    return Finding("ring buffer", True, True, "ring buffers work")
