"""The data directory: that it can be written, that one process alone has it, and a free port beside it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
from pathlib import Path

from metaflow_core.api import host_and_port
from metaflow_core.errors import InputError, StartError

__all__ = ["CLICKHOUSE_PORT", "Place", "address", "clickhouse_port", "default_data", "free_port", "made_token"]

CLICKHOUSE_PORT = 8123
"""Where ClickHouse's clients ask when nobody says otherwise."""

_LITTLE = 200 << 20
_AGENTS_PORT = 20133
"""For the sentence that says what an address looks like."""


def default_data(name: str = "metaflow") -> Path:
    """Where data is kept when nobody says: the user's state directory."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / name


def address(text: str, option: str) -> tuple[str, int]:
    """Host and port that an option gives.

    :raises InputError: it is none, with a sentence.
    """
    try:
        return host_and_port(text, _AGENTS_PORT)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from None


class Place:
    """A data directory while one process uses it.

    :param folder: is made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = -1

    def take(self) -> list[str]:
        """Make the directory and lock it; returns what a person should know of it.

        :raises StartError: it cannot be used, or another process uses it; with what to do.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise StartError(f"{self.folder} is a file, not a directory; give another with --data DIR") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StartError(
                    f"the disk of {self.folder} is full; free some space, or give another with --data DIR"
                ) from None
            raise StartError(
                f"the data directory {self.folder} cannot be used: {error.strerror}; give another with --data DIR"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._holder()
            self.release()
            raise StartError(
                f"another MetaFlow{holder} uses {self.folder} already; look there, stop that one, or give this one a directory of its "
                "own with --data DIR"
            ) from None
        left = shutil.disk_usage(self.folder).free
        return [f"only {left >> 20} MiB are free where {self.folder} is"] if left < _LITTLE else []

    def tell(self, url: str) -> None:
        """Write down who uses the directory, for those who come too late."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def _holder(self) -> str:
        try:
            found = json.loads(os.pread(self._lock, 4096, 0))
            return f" (process {int(found['pid'])}{', ' + str(found['url']) if found['url'] else ''})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def release(self) -> None:
        """Let others have it. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def free_port(wanted: int | None, usual: int) -> tuple[int, str]:
    """A port for HTTP on loopback, and a sentence when it is not the usual one.

    :param wanted: by the user; then no other is taken. :param usual: where to begin when the user wants none.
    :raises StartError: the wanted one is taken, or so are the usual one and twenty after it.
    """
    if wanted is not None:
        if not _is_free(wanted):
            raise StartError(
                f"port {wanted} of 127.0.0.1 is taken; stop what listens there, or give another with --port"
            )
        return wanted, ""
    for port in range(usual, min(usual + 21, 65_536)):
        if _is_free(port):
            return (
                port,
                "" if port == usual else f"port {usual} is taken, so it is {port} this time (--port chooses one)",
            )
    raise StartError(f"ports {usual} to {usual + 20} of 127.0.0.1 are all taken; give a free one with --port")


def clickhouse_port() -> tuple[int, str]:
    """A port on loopback for ClickHouse's clients, and a sentence when it is not the usual one; 0 when there is none."""
    for port in range(CLICKHOUSE_PORT, CLICKHOUSE_PORT + 21):
        if _is_free(port):
            taken = f"port {CLICKHOUSE_PORT} is taken, so ClickHouse's clients find MetaFlow at {port} this time"
            return port, "" if port == CLICKHOUSE_PORT else taken
    last = CLICKHOUSE_PORT + 20
    return 0, f"ports {CLICKHOUSE_PORT} to {last} are all taken, so ClickHouse's clients cannot ask this time"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def made_token(path: Path) -> None:
    """A file with a new secret that only this user reads, unless it is there."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
