"""One file of the spool."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from metaflow_link.spool.record import FILE_HEAD, HEAD, Index, content_at, file_head, head, index_of

__all__ = ["Segment"]


class Segment:
    """A file of records; the newest one of a spool is written to.

    :ivar number: its place among the segments. :ivar index: where its records are. :ivar done: records at its beginning that were
        acknowledged; those behind them that were are in ``_early``.
    """

    def __init__(self, path: Path, number: int, index: Index, descriptor: int = -1) -> None:
        self.path = path
        self.number = number
        self.index = index
        self.done = 0
        self._early: set[int] = set()
        self._fd = descriptor
        self._dirty = False

    @classmethod
    def create(cls, folder: Path, number: int) -> Segment:
        """A new, empty file.

        :raises OSError: it cannot be made.
        """
        path = folder / f"{number:016x}.spool"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, file_head(number))
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return cls(path, number, Index(size=FILE_HEAD), descriptor)

    @classmethod
    def opened(cls, path: Path) -> Segment:
        """A file that is there.

        :raises OSError: it cannot be read. :raises ValueError: its name is no number.
        """
        number = int(path.stem, 16)
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return cls(path, number, Index())
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
                return cls(path, number, index_of(view))

    def __len__(self) -> int:
        return len(self.index.offsets)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.index.size

    @property
    def is_finished(self) -> bool:
        """Every record was acknowledged."""
        return self.done >= len(self)

    def append(self, content: bytes, rows: int) -> int:
        """Add a record; returns its number in the segment.

        :raises OSError: it was not written; the file is as before.
        """
        data = head(content, rows) + content
        offset = self.index.size
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, data[written:] if written else data, offset + written)
        except OSError:
            os.ftruncate(self._fd, offset)
            raise
        self.index.offsets.append(offset)
        self.index.rows.append(rows)
        self.index.size += len(data)
        self._dirty = True
        return len(self) - 1

    def sync(self) -> None:
        """Have what was written on the disk."""
        if self._dirty and self._fd >= 0:
            os.fdatasync(self._fd)
            self._dirty = False

    def read(self, position: int) -> bytes | None:
        """The content of a record; None when it is damaged.

        :raises OSError: the file cannot be read.
        """
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        start = self.index.offsets[position]
        return content_at(os.pread(self._fd, self.length(position), start))

    def length(self, position: int) -> int:
        """Bytes of a record with its head. An upper bound where damaged bytes follow it."""
        offsets = self.index.offsets
        if position + 1 < len(offsets) and not self.index.damaged:
            return offsets[position + 1] - offsets[position]
        data = os.pread(self._fd, HEAD, offsets[position])
        return HEAD + int.from_bytes(data[4:8], "little")

    def acknowledge(self, position: int) -> int:
        """A record is not needed any more; returns its rows, 0 when that was known."""
        if position < self.done or position in self._early or position >= len(self):
            return 0
        self._early.add(position)
        while self.done in self._early:
            self._early.discard(self.done)
            self.done += 1
        return max(self.index.rows[position], 0)

    def is_waiting(self, position: int) -> bool:
        """Whether a record was not acknowledged yet."""
        return position >= self.done and position not in self._early

    def waiting(self) -> Iterator[int]:
        """Records that were not acknowledged."""
        return (position for position in range(self.done, len(self)) if position not in self._early)

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)
