"""Real programs beside a test: found, started on loopback, recorded, and stopped by their own process id.

A peer test says at its head what it needs, and skips with the reason where that is absent::

    NEEDS = peers_missing("redis-server", "redis-cli", "tcpdump", root=True)
    pytestmark = [pytest.mark.peer, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]

    def test_rows_are_the_servers_counts(tmp_path):
        port = free_port()
        with running("redis-server", "--port", str(port), "--bind", "127.0.0.1") as server:
            server.wait_for(port)
            with recorded(tmp_path / "redis.pcap", f"tcp port {port}"):
                ...  # talk to the server
        rows = replay(tmp_path / "redis.pcap", parsers=["redis"])
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

__all__ = ["Peer", "capture_refused", "find_program", "free_port", "peers_missing", "recorded", "running"]

# Debian keeps what only root starts off the path of a user.
_MORE = ("/usr/sbin", "/sbin")


def find_program(name: str, folders: Sequence[str] = ()) -> str | None:
    """The path of a program, also where only servers are kept; None where it is not installed.

    :param folders: where else to look, the greatest name first: ``/usr/lib/postgresql/*/bin``.
    """
    more = [
        str(found) for pattern in folders for found in sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
    ]
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE, *more]))


def peers_missing(*programs: str, modules: Sequence[str] = (), root: bool = False, folders: Sequence[str] = ()) -> str:
    """Why a test that needs these cannot run here; empty when it can.

    :param modules: Python modules that must be importable.
    :param root: it captures packets, or does something else that only root may.
    :param folders: as of :func:`find_program`.
    """
    missing = [name for name in programs if find_program(name, folders) is None]
    missing += [f"{name} (a Python module)" for name in modules if find_spec(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "capturing on loopback needs root" if root and os.geteuid() != 0 else ""


def capture_refused() -> str:
    """Why this process cannot capture packets; empty when it can. Systems ask for the same right for every raw socket."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except OSError as error:
        return f"needs the right to open raw sockets (CAP_NET_RAW): {error}"
    return ""


def free_port() -> int:
    """A TCP port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that runs."""

    process: subprocess.Popen[str]
    _errors: IO[bytes]

    def said(self) -> str:
        """What it wrote to its standard error so far."""
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_for(self, port: int, *, seconds: float = 30) -> None:
        """Wait until somebody accepts connections on a port of loopback.

        :raises AssertionError: the program ended, or nobody listens after so many seconds; with what it said.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()}"
            time.sleep(0.02)
        raise AssertionError(f"nobody listens on port {port} after {seconds} s: {self.said()}")


@contextmanager
def running(
    *command: str,
    stdin: int | None = None,
    user: str | None = None,
    cwd: Path | None = None,
    seconds: float = 60,
    folders: Sequence[str] = (),
) -> Iterator[Peer]:
    """Start a program; at the end of the block it is asked to end, and killed when it has not after so many seconds.

    :param stdin: as of :class:`subprocess.Popen`, for programs that end with their input.
    :param user: whose rights it has, for servers that refuse to be root.
    :param folders: as of :func:`find_program`.
    """
    path = find_program(command[0], folders) or command[0]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [path, *command[1:]],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            user=user,
            cwd=cwd,
        )
        try:
            yield Peer(process, errors)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@contextmanager
def recorded(capture: Path, expression: str, *, snaplen: int = 0) -> Iterator[Path]:
    """Capture what loopback says during the block, all of it.

    :param expression: pcap's filter, for example ``tcp port 6379``.
    :param snaplen: bytes kept of each packet; 0 for all.
    :raises AssertionError: tcpdump did not start, or the kernel dropped packets: the capture would prove nothing.
    """
    options = ("-i", "lo", "-U", "--immediate-mode", "-B", "131072", "-s", str(snaplen), "-w", str(capture))
    with running("tcpdump", *options, expression) as dump:
        _until(lambda: "listening on" in dump.said() or dump.process.poll() is not None)
        assert "listening on" in dump.said(), f"tcpdump does not listen: {dump.said()}"
        yield capture
        _settle(capture)
        dump.process.terminate()
        dump.process.wait(timeout=20)
        lost = re.search(r"(\d+) packets? dropped by kernel", dump.said())
        assert lost is None or lost[1] == "0", f"the capture is not whole: {dump.said()}"


def _settle(capture: Path) -> None:
    """Until nothing was written for a while: packets reach tcpdump after those who sent them went on."""
    size, since = -1, time.monotonic()
    until = since + 10
    while time.monotonic() < min(since + 0.5, until):
        now = capture.stat().st_size if capture.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.05)


def _until(done: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
