"""Small stable numbers for names, and the names of every number that was ever given: what rows of the past need.

All taggers of an app share one book, so that two of them never give one number to different things, and agree on the number of the same.

Numbers of 16 bits are kept for the kinds whose columns are that narrow; all others begin above. No number is given twice, whatever the
kind, so that a dictionary over several kinds needs no more than the number.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from metaflow_core.errors import StorageError

__all__ = ["IdBook"]

_NARROW = frozenset({"region", "az", "host", "vpc", "subnet", "pod_cluster", "pod_ns"})
_FIRST_WIDE = 1 << 16
_LAST_NARROW = 65_533
"""The greatest VPC of the reference model."""


class IdBook:
    """Numbers by kind and identity; kept in a file when there is one. Safe to use from several threads.

    A *kind* is a dictionary of the catalogue (``pod``, ``host``, ``gprocess``, ...). An *identity* tells a thing from all others of its
    kind, and outlives the process: ``cluster/namespace/name``, never a counter.

    :param path: where to keep them; None for as long as the process lives.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ids: dict[str, dict[str, tuple[int, str]]] = {}
        self._narrow, self._wide = 1, _FIRST_WIDE
        self._new: list[tuple[str, str, int, str]] = []
        self._opened = False

    def open(self) -> None:
        """Reads what was given before. Idempotent: whoever needs the book first opens it.

        :raises StorageError: the file is not what it was written as.
        """
        with self._lock:
            if self._opened:
                return
            self._read()
            self._opened = True

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
            # What comes after the last line's end was being written when the process died; no row holds its numbers.
            torn = lines.pop()
            for line in lines:
                kind, identity, number, name = json.loads(line)
                self._ids.setdefault(str(kind), {})[str(identity)] = (int(number), str(name))
            if torn and torn[:2] not in ('["', "["):
                raise ValueError(f"its end is {torn[:40]!r}, which is no line of it")
            if torn:
                os.truncate(self._path, self._path.stat().st_size - len(torn.encode()))
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(
                f"{self._path}: holds the ids that stored rows refer to, and cannot be read ({error}); restore a copy, or move it "
                "away and accept that names of older rows are lost"
            ) from error
        given = [number for known in self._ids.values() for number, _ in known.values()]
        self._narrow = max((number for number in given if number < _FIRST_WIDE), default=0) + 1
        self._wide = max((number for number in given if number >= _FIRST_WIDE), default=_FIRST_WIDE - 1) + 1

    def give(self, kind: str, identity: str, name: str) -> int:
        """The number of something; a new one when it has none.

        :raises OverflowError: there are no more numbers that are narrow enough.
        """
        with self._lock:
            known = self._ids.setdefault(kind, {})
            if identity in known:
                return known[identity][0]
            if kind in _NARROW:
                if self._narrow > _LAST_NARROW:
                    raise OverflowError(
                        f"more than {_LAST_NARROW} regions, zones, hosts, VPCs, subnets and clusters in all"
                    )
                number, self._narrow = self._narrow, self._narrow + 1
            else:
                number, self._wide = self._wide, self._wide + 1
            known[identity] = (number, name)
            self._new.append((kind, identity, number, name))
            return number

    def names(self) -> dict[str, dict[int, str]]:
        """The name of every number, by kind."""
        with self._lock:
            return {kind: dict(known.values()) for kind, known in sorted(self._ids.items())}

    def save(self) -> None:
        """Writes what was given since the last time to the end of the file: a number stands there before any row holds it.

        :raises StorageError: it cannot be written; it is tried again with the next call.
        """
        with self._lock:
            if self._path is None or not self._new:
                return
            text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in self._new)
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    before = file.tell()
                    try:
                        file.write(text)
                        file.flush()
                        os.fsync(file.fileno())
                    except OSError:
                        # half of it, on a full disk, would look like a damaged file
                        os.truncate(self._path, before)
                        raise
            except OSError as error:
                raise StorageError(f"{self._path}: the ids of names cannot be kept: {error.strerror}") from error
            self._new.clear()
