"""What this process may do: each capability by name, and then the calls themselves, since containers refuse by other means.

Sources: capabilities(7), packet(7), bpf(2); numbers of include/uapi/linux/capability.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_doctor.proc import Root, is_linux

__all__ = ["look", "read"]

_OK, _NOTE, _MISSING = FindingState.OK, FindingState.NOTE, FindingState.MISSING


@dataclass(frozen=True, slots=True)
class _Capability:
    number: int
    name: str
    purpose: str
    instead: tuple[str, ...] = ()
    before: tuple[int, int] | None = None
    """Kernels from this release on do not ask for it."""


_ALL = (
    _Capability(13, "CAP_NET_RAW", "capturing packets (AF_PACKET)"),
    _Capability(12, "CAP_NET_ADMIN", "promiscuous mode, and BPF on sockets and interfaces"),
    _Capability(39, "CAP_BPF", "loading BPF programs", ("CAP_SYS_ADMIN",)),
    _Capability(38, "CAP_PERFMON", "tracepoints, uprobes, profiling", ("CAP_SYS_ADMIN",)),
    _Capability(19, "CAP_SYS_PTRACE", "seeing programs and libraries of other users' processes"),
    _Capability(24, "CAP_SYS_RESOURCE", "locking memory for BPF maps on kernels before 5.11", before=(5, 11)),
    _Capability(21, "CAP_SYS_ADMIN", "entering other network namespaces; BPF on kernels before 5.8"),
)
_BPF_MAP_CREATE, _BPF_MAP_TYPE_ARRAY = 0, 2
_BPF_CALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of this process."""
    if not is_linux():
        return [Finding(_NOTE, "privileges", "this system has no Linux capabilities")]
    return [*read(Root(), os.geteuid(), platform.release()), _packet_socket(), _bpf_call()]


def read(root: Root, user: int, release: str) -> Iterator[Finding]:
    """What ``/proc/self/status`` grants.

    :param release: of the kernel, as ``uname -r`` has it.
    """
    status = root.status()
    try:
        held = int(status.get("CapEff", ""), 16)
    except ValueError:
        yield Finding(_NOTE, "capabilities", "/proc/self/status does not tell them")
        return
    names = {each.name for each in _ALL if held >> each.number & 1}
    yield Finding(_OK, "user", f"{user}{' (root)' if user == 0 else ''}, {held.bit_count()} capabilities")
    numbers = re.match(r"(\d+)\.(\d+)", release)
    kernel = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    for each in _ALL:
        stand_in = next((name for name in each.instead if name in names), "")
        if each.name in names:
            yield Finding(_OK, each.name, f"held: {each.purpose}")
        elif stand_in:
            yield Finding(_OK, each.name, f"not held, but {stand_in} stands for it: {each.purpose}")
        elif each.before is not None and kernel >= each.before:
            yield Finding(_OK, each.name, f"not held, nor needed here: {each.purpose}")
        else:
            yield Finding(_MISSING, each.name, f"not held: {each.purpose}", _remedy(each.name, user))
    if status.get("Seccomp", "0") == "2":
        said = "a filter is in force, as in a container: calls may be refused although the capability is held"
        yield Finding(_NOTE, "seccomp", said)


def _remedy(name: str, user: int) -> str:
    short = name.removeprefix("CAP_")
    if user == 0:
        return f"this root has lost it, as in a container; start that with --cap-add {short} (Kubernetes: capabilities.add)"
    return f"run as root (sudo mflow ...), or in a systemd unit: AmbientCapabilities={name}"


def _packet_socket() -> Finding:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return Finding(_MISSING, "packet socket", "refused: nothing can be captured live", "see CAP_NET_RAW above")
    except (AttributeError, OSError) as error:
        remedy = "use a kernel with CONFIG_PACKET, or read captures: mflow read FILE"
        return Finding(_MISSING, "packet socket", f"this system has none ({error})", remedy)
    return Finding(_OK, "packet socket", "opened: packets can be captured")


def _bpf_call() -> Finding:
    number = _BPF_CALL.get(platform.machine())
    if number is None or sys.platform != "linux":
        return Finding(_NOTE, "bpf()", f"not tried on {platform.machine()}")
    # union bpf_attr of BPF_MAP_CREATE: map_type, key_size, value_size, max_entries; the rest is zero
    attributes = (ctypes.c_uint32 * 32)(_BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    library = ctypes.CDLL(None, use_errno=True)
    handle = library.syscall(number, _BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if handle >= 0:
        os.close(handle)
        return Finding(_OK, "bpf()", "a map was made: kernel events can be had where CAP_PERFMON is held too")
    code = ctypes.get_errno()
    said = f"refused ({errno.errorcode.get(code, str(code))}): no kernel events, only packets"
    remedy = (
        "use a kernel with CONFIG_BPF_SYSCALL"
        if code == errno.ENOSYS
        else "see CAP_BPF above; in a container, its seccomp profile must allow bpf"
    )
    return Finding(_MISSING, "bpf()", said, remedy)
