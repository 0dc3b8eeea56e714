"""Room for data: disk, inodes, memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_doctor.proc import Root

__all__ = ["look", "room"]

_LOW_BYTES, _FULL_BYTES = 2 << 30, 100 << 20
_LOW_SHARE = 0.05
_LOW_INODES = 10_000
_LOW_MEMORY = 512 << 20


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of the data directory and the machine."""
    return [*_directory(surroundings.data_dir), *_memory(Root())]


def _directory(folder: Path) -> Iterator[Finding]:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    subject = f"data directory {folder}"
    if not there.is_dir():
        yield Finding(FindingState.PROBLEM, subject, f"{there} is a file", "choose another: mflow up --data DIR")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        own = "" if there != folder else "chown it to this user, or "
        remedy = f"{own}choose another: mflow up --data DIR"
        yield Finding(FindingState.PROBLEM, subject, f"{there} may not be written by user {os.geteuid()}", remedy)
        return
    yield Finding(FindingState.OK, subject, "there" if there == folder else "will be made")
    usage = shutil.disk_usage(there)
    yield room(usage.free, usage.total, str(there))
    found = os.statvfs(there)
    if found.f_files and found.f_favail < _LOW_INODES:
        remedy = "delete small files, or move the data: mflow up --data DIR"
        yield Finding(FindingState.MISSING, "inodes", f"only {found.f_favail:,} files can still be made", remedy)


def room(free: int, total: int, place: str) -> Finding:
    """What so many bytes of so many mean."""
    said = f"{free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free on {place}"
    remedy = "make room, keep rows for less long, or move the data: mflow up --data DIR"
    if free < _FULL_BYTES:
        return Finding(FindingState.PROBLEM, "disk", f"full: {said}", remedy)
    if free < _LOW_BYTES or free < total * _LOW_SHARE:
        return Finding(FindingState.MISSING, "disk", f"nearly full: {said}", remedy)
    return Finding(FindingState.OK, "disk", said)


def _memory(root: Root) -> Iterator[Finding]:
    for line in (root.text("/proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            available = int(value.split()[0]) * 1024
            said = f"{available / 1e9:.1f} GB are available"
            if available < _LOW_MEMORY:
                remedy = "stop other programs, or run an agent here and the server elsewhere"
                yield Finding(FindingState.MISSING, "memory", said, remedy)
            else:
                yield Finding(FindingState.OK, "memory", said)
