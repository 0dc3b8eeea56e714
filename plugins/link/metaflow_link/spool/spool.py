"""A bounded queue on disk: records go in at the end, are read in order, and leave when they are acknowledged."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from metaflow_core.errors import StartError, StorageError
from metaflow_link.spool.record import HEAD
from metaflow_link.spool.segment import Segment

__all__ = ["Fsync", "Record", "Spool", "WhenFull"]

_POSITION = struct.Struct("<8sQQI")
_POSITION_MAGIC = b"MFSPOSN1"
_SEQUENCE_BITS = 32


class WhenFull(StrEnum):
    """What happens to a batch that a full spool has no room for."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    WAIT = "wait"


class Fsync(StrEnum):
    """When the disk is made to have what was written. A process may be killed at any time either way."""

    ALWAYS = "always"
    INTERVAL = "interval"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Record:
    """A record to be sent. :ivar sequence: names it until it is acknowledged."""

    sequence: int
    content: bytes
    rows: int


Lost = Callable[[str, int, str], None]
"""``lost(reason, amount, unit)``: something is gone and must be counted."""


class Spool:
    """Used by one thread at a time.

    :param folder: its own. :param max_bytes: of all its files. :param segment_bytes: of one file, about.
    :param lost: is told of everything that is dropped: reason, how much, ``records`` (rows) or ``bytes``.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int, segment_bytes: int, when_full: WhenFull, fsync: Fsync, lost: Lost
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 4096))
        self._when_full = when_full
        self._fsync = fsync
        self._lost = lost
        self._segments: deque[Segment] = deque()
        self._active: Segment | None = None
        self._cursor = (0, 0)
        self._next_number = 1
        self._lock = -1
        self._position = -1
        self.waiting_batches = 0
        self.waiting_rows = 0
        self.nbytes = 0

    def open(self) -> None:
        """Take the folder and find what waits in it.

        :raises StartError: another process has it, or it cannot be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._position = os.open(self._folder / "position", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._load()
        except BlockingIOError:
            self.close()
            raise StartError(
                f"the spool {self._folder} is in use by another process; stop that one, or give this one a data directory of its own"
            ) from None
        except OSError as error:
            self.close()
            raise StartError(f"the spool {self._folder} cannot be used: {error.strerror or error}") from None

    def _load(self) -> None:
        number, done = self._read_position()
        paths = sorted(path for path in self._folder.glob("*.spool") if _is_number(path.stem))
        for path in paths:
            self._next_number = max(self._next_number, int(path.stem, 16) + 1)
            segment = Segment.opened(path)
            if segment.number == number:
                segment.done = min(done, len(segment))
            if segment.index.damaged:
                self._lost("spool_corrupt", segment.index.damaged, "bytes")
            if segment.index.torn:
                # Whoever handed it over was not told that it is safe, unless the file was cut afterwards.
                self._lost("spool_torn", segment.index.torn, "bytes")
            if segment.number < number or segment.is_finished:
                segment.remove()
                continue
            self._segments.append(segment)
            self.nbytes += segment.size
            self.waiting_batches += len(segment) - segment.done
            self.waiting_rows += sum(segment.index.rows[segment.done :])
        self._next_number = max(self._next_number, number + 1)
        self.rewind()

    def append(self, content: bytes, rows: int) -> bool:
        """Keep a record at the end.

        :returns: False when it was dropped (and counted), as ``drop_newest`` says.
        :raises StorageError: there is no room, and ``wait`` says that the caller keeps it.
        """
        need = len(content) + HEAD
        if not self._make_room(need):
            if self._when_full is WhenFull.WAIT:
                raise StorageError(
                    f"the spool is full ({self.nbytes} of {self._max_bytes} bytes); it empties when the server takes batches again"
                )
            self._lost("spool_full", rows, "records")
            return False
        while True:
            try:
                self._writable(need).append(content, rows)
            except OSError as error:
                if self._when_full is WhenFull.DROP_OLDEST and self._drop_oldest("disk_full"):
                    continue
                raise StorageError(
                    f"the spool {self._folder} cannot be written: {error.strerror or error}; free some space there"
                ) from error
            break
        self.nbytes += need
        self.waiting_batches += 1
        self.waiting_rows += rows
        if self._fsync is Fsync.ALWAYS:
            self.sync()
        return True

    def _writable(self, need: int) -> Segment:
        active = self._active
        if active is not None and (active.size + need <= self._segment_bytes or not len(active)):
            return active
        if active is not None:
            if self._fsync is not Fsync.NEVER:
                active.sync()
            self._active = None
        self._active = Segment.create(self._folder, self._next_number)
        self._next_number += 1
        self._segments.append(self._active)
        self.nbytes += self._active.size
        return self._active

    def _make_room(self, need: int) -> bool:
        while self.nbytes + need > self._max_bytes:
            if self._when_full is not WhenFull.DROP_OLDEST or not self._drop_oldest("spool_full"):
                # a record larger than the whole spool is let in alone, since it could never be smaller
                return not self._segments and self._when_full is not WhenFull.DROP_NEWEST
        return True

    def _drop_oldest(self, reason: str) -> bool:
        if not self._segments:
            return False
        segment = self._segments.popleft()
        waiting = list(segment.waiting())
        rows = sum(segment.index.rows[position] for position in waiting)
        self._lost(reason, rows, "records")
        self.waiting_batches -= len(waiting)
        self.waiting_rows -= rows
        self._forget(segment)
        return True

    def _forget(self, segment: Segment) -> None:
        self.nbytes -= segment.size
        if segment is self._active:
            self._active = None
        segment.remove()

    def read(self, max_records: int, max_bytes: int) -> list[Record]:
        """The next records that were not read since :meth:`rewind`; damaged ones are counted and passed over.

        :param max_bytes: of them all; the first may be larger.
        """
        found: list[Record] = []
        size = 0
        for segment in tuple(self._segments):
            if segment.number < self._cursor[0]:
                continue
            position = self._cursor[1] if segment.number == self._cursor[0] else 0
            while position < len(segment):
                if not segment.is_waiting(position):
                    position += 1
                    continue
                content = self._content(segment, position)
                if content is None:
                    self._damaged(segment, position)
                elif found and (size + len(content) > max_bytes or len(found) >= max_records):
                    self._cursor = (segment.number, position)
                    return found
                else:
                    found.append(
                        Record(segment.number << _SEQUENCE_BITS | position, content, segment.index.rows[position])
                    )
                    size += len(content)
                position += 1
            self._cursor = (segment.number, position)
        self._tidy()
        return found

    @staticmethod
    def _content(segment: Segment, position: int) -> bytes | None:
        try:
            return segment.read(position)
        except OSError:
            return None

    def _damaged(self, segment: Segment, position: int) -> None:
        rows = segment.acknowledge(position)
        self._lost("spool_corrupt", rows, "records")
        self.waiting_batches -= 1
        self.waiting_rows -= rows

    def rewind(self) -> None:
        """Read again from the first record that was not acknowledged."""
        first = self._segments[0] if self._segments else None
        self._cursor = (first.number, first.done) if first is not None else (0, 0)

    def acknowledge(self, sequences: list[int]) -> int:
        """Records are safe elsewhere; returns their rows. Unknown ones are passed over."""
        by_number = {segment.number: segment for segment in self._segments}
        total = 0
        for sequence in sequences:
            segment = by_number.get(sequence >> _SEQUENCE_BITS)
            position = sequence & ((1 << _SEQUENCE_BITS) - 1)
            if segment is None or position >= len(segment) or not segment.is_waiting(position):
                continue
            rows = segment.acknowledge(position)
            self.waiting_batches -= 1
            self.waiting_rows -= rows
            total += rows
        self._tidy()
        return total

    def _tidy(self) -> None:
        """Delete files of which nothing is needed, and write down where the first needed record is."""
        for segment in [each for each in self._segments if each.is_finished and each is not self._active]:
            self._segments.remove(segment)
            self._forget(segment)
        first = self._segments[0] if self._segments else None
        number, done = (first.number, first.done) if first is not None else (self._next_number - 1, 1 << 31)
        fields = _POSITION.pack(_POSITION_MAGIC, number, done, 0)[:-4]
        # What is lost of it costs only that a few batches are sent again, which storages keep once.
        os.pwrite(self._position, fields + struct.pack("<I", zlib.crc32(fields)), 0)

    def _read_position(self) -> tuple[int, int]:
        data = os.pread(self._position, _POSITION.size, 0)
        if len(data) < _POSITION.size:
            return 0, 0
        magic, number, done, checksum = _POSITION.unpack(data)
        if magic != _POSITION_MAGIC or zlib.crc32(data[:-4]) != checksum:
            return 0, 0
        return number, done

    def sync(self) -> None:
        """Have everything on the disk."""
        if self._active is not None:
            self._active.sync()

    def close(self) -> None:
        """Give the folder back; what waits stays in it. Idempotent."""
        for segment in self._segments:
            if segment is self._active and self._fsync is not Fsync.NEVER:
                segment.sync()
            segment.close()
        self._segments.clear()
        self._active = None
        for descriptor in (self._position, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._position = self._lock = -1


def _is_number(text: str) -> bool:
    try:
        return len(text) == 16 and int(text, 16) >= 0
    except ValueError:
        return False
