"""Network interfaces: which are up, and whether anything moves on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_doctor.proc import Root, is_linux

__all__ = ["look", "read"]

_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_MOST = 16


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of this machine."""
    if not is_linux():
        return [Finding(FindingState.NOTE, "interfaces", "not looked at on this system")]
    return list(read(Root()))


def read(root: Root) -> Iterator[Finding]:
    """Of the machine below a root."""
    folder = root.path("/sys/class/net")
    try:
        names = sorted(path.name for path in folder.iterdir() if (path / "flags").exists())
    except OSError:
        remedy = "mount sysfs: mount -t sysfs sysfs /sys"
        yield Finding(FindingState.MISSING, "interfaces", "/sys/class/net cannot be read", remedy)
        return
    up = [name for name in names if _flags(root, name) & _IFF_UP]
    if not up:
        remedy = "bring one up: ip link set dev NAME up"
        yield Finding(FindingState.MISSING, "interfaces", f"none of {len(names)} is up: nothing to capture", remedy)
        return
    for name in up[:_MOST]:
        counts = [root.number(f"/sys/class/net/{name}/statistics/{each}_packets") or 0 for each in ("rx", "tx")]
        said = (
            f"up, MTU {root.number(f'/sys/class/net/{name}/mtu') or '?'}, {counts[0]:,} packets in, {counts[1]:,} out"
        )
        is_loopback = bool(_flags(root, name) & _IFF_LOOPBACK)
        if sum(counts):
            yield Finding(FindingState.OK, name, said)
        else:
            yield Finding(FindingState.NOTE, name, f"{said}{' yet' if is_loopback else ''}: nothing has moved on it")
    if len(up) > _MOST:
        yield Finding(FindingState.OK, "more", f"{len(up) - _MOST} further interfaces are up")


def _flags(root: Root, name: str) -> int:
    try:
        return int(root.text(f"/sys/class/net/{name}/flags") or "0", 16)
    except ValueError:
        return 0
