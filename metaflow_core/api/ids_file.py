"""The file behind a book of numbers: a line of JSON for each, written to its end; written anew when most of it was forgotten."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from metaflow_core.errors import StorageError

__all__ = ["IdsFile", "Line"]

Line: TypeAlias = tuple[str, str, int, str]
"""Kind, identity, number, name. Without a kind it says only that the number was given once."""

_ROOM = 10_000


class IdsFile:
    """:param path: where it is; it need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0

    def read(self) -> list[Line]:
        """All lines; of two for one identity the later counts.

        :raises StorageError: the file is not what it was written as.
        """
        if not self._path.exists():
            return []
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
            # What comes after the last line's end was being written when the process died; no row holds its numbers.
            torn = lines.pop()
            found = [_line(*json.loads(line)) for line in lines]
            if torn and torn[:2] not in ('["', "["):
                raise ValueError(f"its end is {torn[:40]!r}, which is no line of it")
            if torn:
                os.truncate(self._path, self._path.stat().st_size - len(torn.encode()))
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(
                f"{self._path}: holds the ids that stored rows refer to, and cannot be read ({error}); restore a copy, or move it "
                "away and accept that names of older rows are lost"
            ) from error
        self._lines = len(found)
        return found

    def is_long(self, known: int) -> bool:
        """Whether most of its lines tell what nobody needs any more."""
        return self._lines > 2 * known + _ROOM

    def append(self, lines: Sequence[Line]) -> None:
        """Writes to its end.

        :raises StorageError: nothing was written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                before = file.tell()
                try:
                    _write(file.fileno(), lines)
                except OSError:
                    # half of it, on a full disk, would look like a damaged file
                    os.truncate(self._path, before)
                    raise
        except OSError as error:
            raise self._failure(error) from error
        self._lines += len(lines)

    def replace(self, lines: Sequence[Line]) -> None:
        """Writes it anew, whole or not at all.

        :raises StorageError: it is as it was.
        """
        beside = self._path.with_suffix(f"{self._path.suffix}.new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                _write(file.fileno(), lines)
            beside.replace(self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._failure(error) from error
        self._lines = len(lines)

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self._path}: the ids of names cannot be kept: {error.strerror}")


def _write(file: int, lines: Iterable[Line]) -> None:
    data = memoryview("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines).encode("utf-8", "replace"))
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


def _line(kind: object, identity: object, number: object, name: object) -> Line:
    return str(kind), str(identity), int(number), str(name)  # type: ignore[call-overload]
