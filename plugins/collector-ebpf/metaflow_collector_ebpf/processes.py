"""Processes by name, from /proc."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "list_pids", "matches", "read_process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its number, when it started (clock ticks since boot), and the names it goes by."""

    pid: int
    start: int
    names: frozenset[str]


def list_pids(root: Path = Path("/proc")) -> Iterator[int]:
    """Every process there is now."""
    for entry in os.scandir(root):
        if entry.name.isdigit():
            yield int(entry.name)


def read_process(pid: int, root: Path = Path("/proc")) -> Process | None:
    """What is known of a process; None when it is gone."""
    try:
        text = (root / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # the name stands in parentheses and may hold parentheses itself
    opening, closing = text.find("("), text.rfind(")")
    fields = text[closing + 2 :].split()
    if opening < 0 or len(fields) < 20 or not fields[19].isdigit():
        return None
    names = {text[opening + 1 : closing]}
    # a kernel thread has no program, and somebody else's may not be read
    with contextlib.suppress(OSError):
        names.add((root / str(pid) / "exe").readlink().name.removesuffix(" (deleted)"))
    return Process(pid, int(fields[19]), frozenset(names))


def matches(process: Process, patterns: Sequence[str]) -> bool:
    """Whether one of its names matches a shell pattern."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in process.names for pattern in patterns)
