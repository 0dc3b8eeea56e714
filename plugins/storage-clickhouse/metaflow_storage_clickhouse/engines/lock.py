"""One process owns a directory."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from pathlib import Path

from metaflow_core.errors import StartError, UnwritableStore

__all__ = ["DirectoryLock"]


class DirectoryLock:
    """A locked file in the directory, with the owner's process id in it and whether the last owner closed the store.

    The kernel drops the lock with the process, however it ends; a file left behind locks nobody out.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "owner.json"
        self._file: int | None = None
        self.clean = True

    def acquire(self) -> None:
        """Make the directory and lock it; :attr:`clean` then tells whether the last owner closed it.

        :raises StartError: it cannot be written, or another process owns it; a sentence with the process id.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unusable(self._directory, error) from _cause(self._directory, error)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = self._read().get("pid", "unknown")
            os.close(self._file)
            self._file = None
            who = "this process already" if owner == os.getpid() else f"the process with the id {owner}"
            raise StartError(
                f"the store in {self._directory} is in use by {who}; one process owns a store: stop the other, give this one "
                "another path, or ask the running one over HTTP"
            ) from error
        self.clean = self._read().get("state", "closed") == "closed"
        try:
            self._write("open")
        except OSError as error:
            self.abandon()
            raise _unusable(self._directory, error) from _cause(self._directory, error)

    def release(self) -> None:
        """Say that the store was closed, and unlock."""
        if self._file is None:
            return
        # A disk that is full now must not keep the process from ending; the next start then looks the store over.
        with contextlib.suppress(OSError):
            self._write("closed")
        self.abandon()

    def abandon(self) -> None:
        """Unlock without saying that the store was closed."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self) -> dict[str, object]:
        assert self._file is not None
        try:
            value = json.loads(os.pread(self._file, 4096, 0) or b"{}")
        except ValueError:
            return {"state": "open"}
        return value if isinstance(value, dict) else {}

    def _write(self, state: str) -> None:
        assert self._file is not None
        data = json.dumps({"pid": os.getpid(), "state": state, "since": int(time.time())}).encode()
        # Padded and written in one call: a kill leaves the old or the new text.
        os.pwrite(self._file, data.ljust(128), 0)


def _unusable(directory: Path, error: OSError) -> StartError:
    return StartError(_sentence(directory, error))


def _cause(directory: Path, error: OSError) -> Exception:
    """What the error at the start comes from: a store that takes nothing is told from a damaged one by its class."""
    unwritable = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
    return UnwritableStore(_sentence(directory, error)) if unwritable else error


def _sentence(directory: Path, error: OSError) -> str:
    match error.errno:
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return f"the store in {directory} cannot be written ({error.strerror}); make it writable for this user or give another path"
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk of {directory} is full; free some space"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{directory} is no directory; give the path of a directory, it is made when absent"
        case _:
            return f"the store in {directory} cannot be opened: {error.strerror}"
