"""The port that MetaFlow would listen on: free, or whose it is."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from metaflow_core.api import Finding, FindingState, Surroundings
from metaflow_doctor.status import answers

__all__ = ["listener", "look"]

_LISTEN = "0A"


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of the port that was given."""
    port = surroundings.port
    subject = f"port {port}"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
    except PermissionError:
        remedy = f"choose one from 1024 on: mflow up --port {8000 + port}"
        return [Finding(FindingState.PROBLEM, subject, "this user may not listen on it", remedy)]
    except OSError as error:
        if answers(f"http://127.0.0.1:{port}", surroundings.token):
            return [Finding(FindingState.OK, subject, "MetaFlow listens on it")]
        whose = listener(port) or error.strerror or str(error)
        remedy = f"stop that, or choose another port: mflow up --port {port + 1 if port < 65535 else 8088}"
        return [Finding(FindingState.PROBLEM, subject, f"taken: {whose}", remedy)]
    return [Finding(FindingState.OK, subject, "free")]


def listener(port: int) -> str:
    """``process 12 (python3)`` for who listens on a TCP port, as far as this user may see it; else empty.

    Source: proc_net_tcp of the kernel's documentation: local address and port in hexadecimal, state, inode.
    """
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _inodes(Path("/proc/net") / name, port)}
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(handle.readlink()) in inodes for handle in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue
    return "another user's process"


def _inodes(path: Path, port: int) -> Iterable[str]:
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]
