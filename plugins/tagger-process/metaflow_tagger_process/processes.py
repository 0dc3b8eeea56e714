"""Processes from /proc (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metaflow_tagger_process.cgroups import Owner, owner_of
from metaflow_tagger_process.naming import is_helper, masked, program_name

__all__ = ["Process", "list_processes", "read_process"]

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_MOST_COMMAND = 512


@dataclass(frozen=True, slots=True)
class Process:
    """A process.

    :ivar start_ns: when it began, nanoseconds since 1970 as far as the boot time is exact. :ivar start: in clock ticks since boot, exactly:
        with ``pid`` it tells this process from any other. :ivar kernel_name: the kernel's 15 bytes. :ivar name: what it is called.
    :ivar netns: inode of its network namespace, 0 unknown. :ivar helper: it works for its parent, and should go by the parent's name.
    :ivar tags: what the configuration's rules say of it.
    """

    pid: int
    start: int
    start_ns: int
    parent: int
    kernel_name: str
    name: str
    command_line: str
    uid: int
    owner: Owner
    netns: int
    helper: bool = False
    tags: tuple[tuple[str, str], ...] = ()


def list_processes(root: Path = Path("/proc")) -> Iterator[tuple[int, int]]:
    """Number and inode of each; another inode than before means that the number may have been given again."""
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name), entry.inode()


def read_process(pid: int, boot_ns: int, *, command_line: bool = True, root: Path = Path("/proc")) -> Process | None:
    """What is known of it; None when it is gone.

    :param boot_ns: when the machine started, nanoseconds since 1970.
    """
    folder = root / str(pid)
    try:
        text = (folder / "stat").read_text(errors="replace")
        uid = folder.stat().st_uid
    except OSError:
        return None
    # the name stands in parentheses and may hold parentheses itself
    opening, closing = text.find("("), text.rfind(")")
    fields = text[closing + 2 :].split()
    if opening < 0 or len(fields) < 20 or not (fields[19].isdigit() and fields[1].isdigit()):
        return None
    kernel_name, start = text[opening + 1 : closing], int(fields[19])
    raw = _read(folder / "cmdline")
    arguments = (
        [part.decode("utf-8", "replace") for part in raw[: _MOST_COMMAND * 4].rstrip(b"\0").split(b"\0")] if raw else []
    )
    try:
        program = (folder / "exe").readlink().name
    except OSError:
        program = ""
    try:
        netns = (folder / "ns" / "net").stat().st_ino
    except OSError:
        netns = 0
    return Process(
        pid=pid,
        start=start,
        start_ns=boot_ns + start * 1_000_000_000 // _TICKS,
        parent=int(fields[1]),
        kernel_name=kernel_name,
        name=program_name(kernel_name, program, arguments),
        command_line=masked(" ".join(arguments))[:_MOST_COMMAND] if command_line else "",
        uid=uid,
        owner=owner_of(_read(folder / "cgroup").decode("utf-8", "replace")),
        netns=netns,
        helper=is_helper(arguments),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65_536)
    except OSError:
        return b""
