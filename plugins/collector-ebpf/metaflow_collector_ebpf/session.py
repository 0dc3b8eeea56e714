"""Everything that stands in the kernel while the collector runs: made in order, taken away in reverse."""

from __future__ import annotations

import os
import secrets
import socket
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from metaflow_collector_ebpf.attach import attach_tracepoints, close_all, find_tracefs
from metaflow_collector_ebpf.backends.bcc import load_bcc
from metaflow_collector_ebpf.backends.core import load_core
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.kernel.calls import ProgramRefused
from metaflow_collector_ebpf.kernel.objects import Loaded
from metaflow_collector_ebpf.layout import COUNTERS, ProgramConfig
from metaflow_collector_ebpf.looking import exchange, why_blind
from metaflow_collector_ebpf.native import Ring, load_library
from metaflow_collector_ebpf.probe import Finding, examine
from metaflow_collector_ebpf.rules import Rules
from metaflow_core.errors import StartError, UnavailableError

__all__ = ["Session"]

_ZERO = bytes(4)
_PROCESS_RING = 256 << 10
_BACKENDS: Mapping[str, Callable[[Mapping[str, int]], Loaded]] = {"core": load_core, "bcc": load_bcc}


class Session:
    """Load, attach, map the rings.

    :raises UnavailableError: this machine lacks something; the sentence names it all.
    :raises StartError: the kernel refuses the programs.
    :ivar backend: which one was taken. :ivar notes: what does not work, a sentence each. :ivar log: what verifiers said.
    """

    def __init__(self, config: EbpfConfig) -> None:
        self._config = config
        self._library = load_library()
        self.findings = examine()
        self.notes: list[str] = [
            item.sentence for item in self.findings if not item.ok and not item.needed and item.name != "bcc"
        ]
        self.log = ""
        self._held: list[int] = []
        self._ended = False
        self._rings: list[Ring] = []
        self._coroutines: set[int] = set()
        tracefs = find_tracefs()
        needed = [item for item in self.findings if item.needed and not item.ok]
        if needed or tracefs is None:
            raise UnavailableError(_refusal(needed))
        self._tracefs = tracefs
        self.ring_bytes = 1 << ((config.ring_mib << 20) - 1).bit_length()
        self.loaded = Loaded()
        self._sample = socket.socket(socket.AF_UNIX)
        try:
            self.backend = self._stand()
            self.records = Ring(self._library, self.loaded.maps["records"].fd, self.ring_bytes)
            self._rings.append(self.records)
            self.processes = Ring(
                self._library, self.loaded.maps["processes"].fd, _PROCESS_RING, plain=True, block=1 << 16
            )
            self._rings.append(self.processes)
        except BaseException:
            self.close()
            raise

    def _stand(self) -> str:
        """Load and attach; the name of the first backend whose programs the kernel takes, and which see."""
        wanted = ("core", "bcc") if self._config.backend == "auto" else (self._config.backend,)
        refusals: list[str] = []
        for name in wanted:
            try:
                self.loaded = _BACKENDS[name]({"records": self.ring_bytes, "processes": _PROCESS_RING})
                self.rules = Rules(self._config, self.loaded.maps)
                missing = self.attach_anew()
                blind = self.look()
                if blind:
                    self.notes.append(
                        f"the programs of the backend {name} saw nothing, and were attached anew: {blind}"
                    )
                    self.attach_anew()
                    blind = self.look()
                if not blind:
                    if missing:
                        self.notes.append(f"this kernel has no {', '.join(missing)}; what they tell is missing")
                    return name
                refusals.append(f"{name}: {blind}")
            except ProgramRefused as error:
                self.log += f"{name}: {error.strerror}\n{error.log}\n"
                last = next(
                    (line for line in reversed(error.log.splitlines()) if line and "processed" not in line), "no reason"
                )
                refusals.append(f"{name}: {error.strerror} ({last.strip()})")
            except (UnavailableError, OSError) as error:
                refusals.append(f"{name}: {error}")
            close_all(self._held)
            self.loaded.close()
        raise StartError(
            f"no backend gets kernel programs to see: {'; '.join(refusals)}. Capture packets with the collector cbpf instead"
        )

    def _configure(self) -> None:
        self._programs = ProgramConfig(
            magic=secrets.randbits(29) << 1 | 1 << 30,
            capture=self._config.capture_bytes,
            # each processor counts by itself what it queues; woken with room left for what comes meanwhile
            wakeup=min(self._config.wakeup_bytes, self.ring_bytes // 4) // len(_possible_processors()),
            # ids of this run follow those of any earlier one: 16 million a second is more than any machine makes
            id_base=(int(time.time()) & 0xFFFFFFFF) << 24,
            own_socket=self._sample.fileno(),
            self_pid=os.getpid(),
        )
        self._programs.check_coroutines = bool(self._coroutines)
        self.rules.fill(self._programs)
        self.loaded.maps["config"].update(_ZERO, self._programs.pack())

    def attach_anew(self) -> list[str]:
        """Put the programs on their tracepoints, off which they are taken before; what they found out is forgotten.

        :returns: tracepoints that this kernel does not have. :raises StartError: one that nothing works without is not to be had.
        """
        close_all(self._held)
        if self._ended:
            return []
        self._configure()
        self._held, missing = attach_tracepoints(self.loaded.programs, self._tracefs)
        return missing

    def look(self) -> str:
        """Make a few calls of one's own and see whether the programs see them. They count them, and record nothing.

        Asked twice before it is believed: a program may be passed over once, when it comes while another runs on that processor.

        :returns: why they see nothing, a clause; empty when they see, and where there is no loopback to make calls on.
        """
        return self._look() and self._look()

    def _look(self) -> str:
        if self._ended:
            return ""
        before = self.counters()
        self._introduce(self._programs.magic)
        try:
            exchange()
        except OSError as error:
            note = f"whether the programs see was not looked at, for want of a connection on loopback: {error}"
            self.notes += [] if note in self.notes else [note]
            return ""
        finally:
            self._introduce(self._programs.magic + 1)
        raw = self.loaded.maps["config"].lookup(_ZERO) or b""
        return why_blind(before, self.counters(), knows_sockets=bool(raw) and ProgramConfig.knows_sockets(raw))

    def _introduce(self, number: int) -> None:
        """Close a descriptor that nobody has: the program at close(2) knows the number, and so learns who this is, and what a socket is.

        In a container the kernel has another number for this process than getpid(2) says. Until it is closed with the next number,
        the programs look at this thread's calls too.
        """
        try:
            os.close(number)
        except OSError:
            return
        raise StartError(f"file descriptor {number} was open; start again")

    @property
    def self_pid(self) -> int:
        """This process as the kernel counts it."""
        raw = self.loaded.maps["config"].lookup(_ZERO)
        return ProgramConfig.self_pid_of(raw) if raw else 0

    def runs_coroutines(self, pid: int, runtime: bytes) -> None:
        """What a thread of this process did before says nothing about what it does next: goroutines are told apart, or its records are marked.

        :param runtime: ``struct runtime``; zeros where nothing is known.
        """
        config = self.loaded.maps["config"]
        if not self._coroutines:
            raw = config.lookup(_ZERO)
            if raw:
                config.update(_ZERO, ProgramConfig.with_coroutines(raw))
        self._coroutines.add(pid)
        self.loaded.maps["coroutine_processes"].update(struct.pack("<I", pid), runtime)

    def forget_coroutines(self, pid: int) -> None:
        """The process ended; its number may be given to another."""
        if pid in self._coroutines:
            self._coroutines.discard(pid)
            self.loaded.maps["coroutine_processes"].delete(struct.pack("<I", pid))

    def counters(self) -> list[int]:
        """Totals since the start, in the order of :data:`~metaflow_collector_ebpf.layout.COUNTERS`."""
        processors = len(_possible_processors())
        one = (
            len(COUNTERS) + 2
        )  # and the last id that the processor gave out, and what it queued since the drain was woken
        raw = self.loaded.maps["counters"].lookup(_ZERO, 8 * one * processors) or b""
        values = [value for (value,) in struct.iter_unpack("<Q", raw)]
        return [sum(values[index::one]) for index in range(len(COUNTERS))]

    def tls_calls(self) -> dict[int, int]:
        """Calls of TLS libraries since the start, by process."""
        return self._by_process("tls_loads")

    def io_uring_calls(self) -> dict[int, int]:
        """Operations of io_uring on sockets whose content was not seen, since the start, by process."""
        return self._by_process("io_uring_users")

    def _by_process(self, name: str) -> dict[int, int]:
        numbers = self.loaded.maps[name]
        found: dict[int, int] = {}
        for key in numbers.keys():  # noqa: SIM118 - a map in the kernel, not a dict
            raw = numbers.lookup(key)
            if raw:
                found[int.from_bytes(key, "little")] = int.from_bytes(raw, "little")
        return found

    def detach(self) -> None:
        """No program runs any more; what they left in the rings is still there. Idempotent."""
        self._ended = True
        close_all(self._held)

    def close(self) -> None:
        """Take everything away. Idempotent."""
        self.detach()
        rings, self._rings = self._rings, []
        for ring in rings:
            ring.close()
        self.loaded.close()
        self._sample.close()


def _possible_processors() -> range:
    """Values of per-processor maps come for every processor that may ever be there (/sys/devices/system/cpu/possible)."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().replace("-", ",").split(",")[-1]
    return range(int(last) + 1)


def _refusal(needed: list[Finding]) -> str:
    reasons = "; ".join(item.sentence for item in needed) or "tracefs is not mounted"
    return f"eBPF cannot be used here: {reasons}. Without it, capture packets with the collector cbpf"
