"""Lines of JSON at the end of a file, written anew when most of them are history."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Journal"]

_ROOM = 20_000


class Journal:
    """Used by one thread at a time.

    :param folder: where the file is; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / "reported.jsonl"
        self._lines = 0
        self._most = _ROOM

    def read(self) -> Iterator[Any]:
        """Every line that is one; what was being written when the process died is passed over."""
        if self._path is None or not self._path.exists():
            return
        with contextlib.suppress(OSError), self._path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                self._lines += 1
                with contextlib.suppress(ValueError, RecursionError):
                    yield json.loads(line)
        self._most = 2 * self._lines + _ROOM

    def append(self, lines: list[Any], snapshot: Callable[[], list[Any]]) -> None:
        """Keep lines; when this returns the disk has them.

        :param snapshot: all that counts, these lines included. :raises OSError: they are not kept.
        """
        if self._path is None or not lines:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._lines + len(lines) > self._most:
            self._write_anew(snapshot())
            return
        with self._path.open("ab") as file:
            before = file.tell()
            try:
                # a line end first: half a line of a process that died must not swallow the next one
                file.write(b"".join(b"\n" + json.dumps(line).encode() for line in lines) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self._path, before)
                raise
        self._lines += len(lines)

    def _write_anew(self, lines: list[Any]) -> None:
        assert self._path is not None
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            for line in lines:
                file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._lines = len(lines)
        self._most = 2 * self._lines + _ROOM
