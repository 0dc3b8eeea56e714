"""Two network namespaces joined by a veth pair: the wire on which the benchmarks make their own traffic."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

MTU = 1500


@dataclass(frozen=True, slots=True)
class End:
    """One end of the wire: the name of its namespace and interface, and its IPv4 address."""

    namespace: str
    interface: str
    address: str

    def command(self, *words: str) -> list[str]:
        """The command line that runs ``words`` inside this namespace."""
        return ["ip", "netns", "exec", self.namespace, *words]


class Wire:
    """Context manager that makes the namespaces ``<prefix>c`` and ``<prefix>s`` and removes them.

    Segmentation offloads are switched off, so that a capture shows packets as a network would carry them (at most
    1500 bytes). Needs root (CAP_NET_ADMIN), ``ip`` and ``ethtool``; raises ``subprocess.CalledProcessError`` otherwise.
    """

    def __init__(self, prefix: str, subnet: str = "10.78.0") -> None:
        self.client = End(f"{prefix}c", f"{prefix}vc", f"{subnet}.1")
        self.server = End(f"{prefix}s", f"{prefix}vs", f"{subnet}.2")

    def __enter__(self) -> Self:
        self._remove()
        for end in (self.client, self.server):
            run("ip", "netns", "add", end.namespace)
        run("ip", "link", "add", self.client.interface, "netns", self.client.namespace, "type", "veth",
            "peer", "name", self.server.interface, "netns", self.server.namespace)  # fmt: skip
        for end in (self.client, self.server):
            run(*end.command("ip", "addr", "add", f"{end.address}/24", "dev", end.interface))
            run(*end.command("ip", "link", "set", "lo", "up"))
            run(*end.command("ip", "link", "set", end.interface, "mtu", str(MTU), "up"))
            run(*end.command("ethtool", "-K", end.interface, "tso", "off", "gso", "off", "gro", "off"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        for end in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", end.namespace], capture_output=True, check=False)

    def capture(self, path: Path, expression: str) -> Process:
        """Starts tcpdump at the server's end; leave its context to stop it and have the file complete."""
        words = self.server.command("tcpdump", "-i", self.server.interface, "-s", "0", "-B", "262144", "-U", "-Z", "root",
                                    "-w", str(path), expression)  # fmt: skip
        return Process(words, ready="listening on")


class Process:
    """Context manager that runs a program and ends it (SIGINT, then SIGKILL) by its own process id."""

    def __init__(self, words: Sequence[str], ready: str | None = None, cwd: Path | None = None) -> None:
        self._words = list(words)
        self._ready = ready
        self._cwd = cwd
        self.output = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE if self._ready else subprocess.DEVNULL,
            text=True, cwd=self._cwd)  # fmt: skip
        if self._ready and self._process.stderr:
            for line in self._process.stderr:
                self.output += line
                if self._ready in line:
                    break
            else:
                raise RuntimeError(f"{self._words[-1]!r} ended before it was ready: {self.output.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(2)
        try:
            _, rest = self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, rest = self._process.communicate()
        self.output += rest or ""


def run(*words: str) -> str:
    """Runs a command to its end and returns its output; raises ``RuntimeError`` with what it said when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
