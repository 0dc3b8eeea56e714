"""Attachments: each a file descriptor, so that they end with this process however it ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from metaflow_collector_ebpf.kernel.calls import perf_probe, perf_tracepoint
from metaflow_collector_ebpf.points import TRACEPOINTS, LibraryPoint
from metaflow_core.errors import StartError

__all__ = ["Probes", "attach_tracepoints", "close_all", "find_tracefs"]

_TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_AT_ONCE = 8
_UPROBE = Path("/sys/bus/event_source/devices/uprobe")


def find_tracefs() -> Path | None:
    """Where the kernel's tracepoints are described, None when tracefs is not mounted or not readable."""
    return next((path for path in _TRACEFS if os.access(path / "events" / "syscalls", os.R_OK | os.X_OK)), None)


def attach_tracepoints(programs: Mapping[str, int], tracefs: Path) -> tuple[list[int], list[str]]:
    """Attach every program to its tracepoints.

    :returns: descriptors, and the tracepoints that this kernel does not have.
    :raises StartError: one that nothing works without cannot be attached to.
    """
    held: list[int] = []
    missing: list[str] = []
    for point in TRACEPOINTS:
        program = programs.get(point.program)
        try:
            if program is None:
                raise OSError(errno.ENOENT, "the program was not loaded")
            folder = tracefs / "events" / point.group / point.name
            number = int((folder / "id").read_text())
            if point.layout and point.layout not in (folder / "format").read_text():
                raise OSError(errno.ENOTSUP, "its format is another one")
            held.append(perf_tracepoint(number, program))
        except (OSError, ValueError) as error:
            if point.needed:
                close_all(held)
                raise StartError(
                    f"the tracepoint {point.group}/{point.name} cannot be attached to ({error}); this collector needs it. "
                    "Capture packets with the collector cbpf instead"
                ) from error
            missing.append(f"{point.group}/{point.name}")
    return held, missing


def close_all(held: list[int]) -> None:
    """Give descriptors back; the list is empty afterwards.

    The kernel waits at each until no processor runs the program any more; waiting for many at once takes no longer than for one.
    """
    closing, held[:] = held[:], []
    if len(closing) <= _AT_ONCE // 2:
        for fd in closing:
            os.close(fd)
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="metaflow-ebpf-detach") as pool:
        for done in [pool.submit(os.close, fd) for fd in closing]:
            done.result()


class Probes:
    """Probes in user space: what the kernel calls uprobes.

    :raises OSError: this kernel has none.
    """

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = programs
        self._kind = int((_UPROBE / "type").read_text())
        self._return_bit = int((_UPROBE / "format" / "retprobe").read_text().split(":")[1])

    def attach(
        self, path: str, offset: int, point: LibraryPoint, pid: int = -1, returns: tuple[int, ...] = ()
    ) -> list[int]:
        """Entry and return of one function of a file, in every process that maps it or in one.

        :param returns: offsets of the return instructions, where the return address may not be replaced.
        :raises OSError: with the kernel's reason.
        """
        held: list[int] = []
        try:
            leaving = [(point.leave, place, False) for place in returns] or [(point.leave, offset, True)]
            for program, place, returning in (*leaving, (point.enter, offset, False)):
                held.append(
                    perf_probe(
                        path,
                        place,
                        self._programs[program],
                        returning=returning,
                        kind=self._kind,
                        return_bit=self._return_bit,
                        pid=pid,
                    )
                )
        except BaseException:
            close_all(held)
            raise
        return held
