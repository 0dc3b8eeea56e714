"""Attachments: each a file descriptor, so that they end with this process however it ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from metaflow_collector_ebpf.kernel.calls import link_probes, perf_probe, perf_tracepoint
from metaflow_collector_ebpf.points import TRACEPOINTS, LibraryPoint
from metaflow_core.errors import StartError

__all__ = ["Place", "Probes", "attach_tracepoints", "close_all", "find_tracefs"]

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


@dataclass(frozen=True, slots=True)
class Place:
    """A function of a file, and the programs for it.

    :ivar offset: of its first byte. :ivar returns: offsets of its return instructions, where the return address may not be replaced.
    """

    point: LibraryPoint
    offset: int
    returns: tuple[int, ...] = ()


class Probes:
    """Probes in user space: what the kernel calls uprobes.

    Kernels since 6.6 take all places of one program at once, and give them back at once; older ones one after the other, each of which
    waits a tenth of a second for the processors to leave it.

    :raises OSError: this kernel has none.
    """

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = programs
        self._kind = int((_UPROBE / "type").read_text())
        self._return_bit = int((_UPROBE / "format" / "retprobe").read_text().split(":")[1])
        self._takes_many = True

    def attach(self, path: str, places: Sequence[Place], pid: int = -1) -> list[int]:
        """Entries and returns of functions of a file, in every process that maps it or in one.

        :returns: descriptors, which are the attachments.
        :raises OSError: with the kernel's reason; then nothing is attached.
        """
        wanted: dict[tuple[str, bool], list[int]] = {}
        # returns first: an entry whose return is not seen would be taken for a call that still runs
        for place in places:
            for offset in (place.returns or (place.offset,)) if place.point.leave else ():
                wanted.setdefault((place.point.leave, not place.returns), []).append(offset)
        for place in places:
            wanted.setdefault((place.point.enter, False), []).append(place.offset)
        held: list[int] = []
        try:
            for (program, returning), offsets in wanted.items():
                held += self._attach(path, offsets, self._programs[program], pid, returning=returning)
        except BaseException:
            close_all(held)
            raise
        return held

    def _attach(self, path: str, offsets: Sequence[int], program: int, pid: int, *, returning: bool) -> list[int]:
        if self._takes_many:
            try:
                return [link_probes(path, offsets, program, returning=returning, pid=pid)]
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
        held: list[int] = []
        try:
            for offset in offsets:
                held.append(  # noqa: PERF401 - after a refusal it must be known what is attached
                    perf_probe(
                        path,
                        offset,
                        program,
                        returning=returning,
                        kind=self._kind,
                        return_bit=self._return_bit,
                        pid=pid,
                    )
                )
        except BaseException:
            close_all(held)
            raise
        # it works one by one, so it was the kernel that does not take many
        self._takes_many = False
        return held
