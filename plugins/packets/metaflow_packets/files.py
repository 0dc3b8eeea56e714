"""The files of the store: chunks one behind the other, a new file each few megabytes, the oldest file goes first."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PacketFile", "PacketFiles", "listed"]

_NAME = re.compile(r"packets-(\d{10})\.mfk\Z")
_FILE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class PacketFile:
    """One file. :ivar number: files are written in this order. :ivar written_s: seconds since 1970 when it was written to last."""

    path: Path
    number: int
    size: int
    written_s: float


def listed(folder: Path) -> list[PacketFile]:
    """The files of a store, oldest first; none where there is no store."""
    return sorted(_files(folder), key=lambda file: file.number)


def _files(folder: Path) -> Iterator[PacketFile]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.match(entry.name)
            if found:
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    yield PacketFile(Path(entry.path), int(found[1]), about.st_size, about.st_mtime)


class PacketFiles:
    """Writes chunks, and keeps what is on disk below its limits.

    :param folder: is made when it is not there, for this user only. :param max_bytes: on disk. :param max_age_s: seconds since a file
        was written to last.
    """

    def __init__(self, folder: Path, max_bytes: int, max_age_s: float) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._file = -1
        self._size = 0
        self._began_s = 0.0

    def open(self) -> None:
        """Make the directory.

        :raises OSError: it cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, chunk: bytes, now_s: float) -> None:
        """Append a chunk.

        :raises OSError: it could not be written; what was written of it is taken back.
        """
        if self._file >= 0 and (self._size + len(chunk) > _FILE_BYTES or now_s - self._began_s > self._max_age_s / 8):
            self.close()
        if self._file < 0:
            self._next(now_s)
        try:
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(chunk)

    def _next(self, now_s: float) -> None:
        self.trim(now_s)
        number = max((file.number for file in listed(self._folder)), default=0) + 1
        path = self._folder / f"packets-{number:010}.mfk"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size, self._began_s = 0, now_s

    def trim(self, now_s: float) -> int:
        """Remove what is too old or too much; gives the bytes removed. The file that is being written to stays."""
        files = listed(self._folder)
        if self._file >= 0:
            files = files[:-1]
        # the next file has room as well
        budget = self._max_bytes - _FILE_BYTES
        total = sum(file.size for file in files)
        removed = 0
        for file in files:
            if total <= budget and now_s - file.written_s <= self._max_age_s:
                continue
            with contextlib.suppress(FileNotFoundError):
                file.path.unlink()
            total -= file.size
            removed += file.size
        return removed

    def close(self) -> None:
        """Close the file that is written to. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
