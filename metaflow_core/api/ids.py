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
        self._changed = False
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
            held = json.loads(self._path.read_text(encoding="utf-8"))
            ids = {
                kind: {identity: (int(number), str(name)) for identity, (number, name) in names.items()}
                for kind, names in held["ids"].items()
            }
            narrow, wide = int(held["narrow"]), int(held["wide"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(
                f"{self._path}: holds the ids that stored rows refer to, and cannot be read ({error}); restore a copy, or move it "
                "away and accept that names of older rows are lost"
            ) from error
        self._ids, self._narrow, self._wide = ids, narrow, wide

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
            self._changed = True
            return number

    def names(self) -> dict[str, dict[int, str]]:
        """The name of every number, by kind."""
        with self._lock:
            return {kind: dict(known.values()) for kind, known in sorted(self._ids.items())}

    def save(self) -> None:
        """Writes the file anew, so that it is always whole.

        :raises StorageError: it cannot be written.
        """
        with self._lock:
            if self._path is None or not self._changed:
                return
            text = json.dumps({"narrow": self._narrow, "wide": self._wide, "ids": self._ids}, ensure_ascii=False)
            draft = self._path.with_suffix(".new")
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with draft.open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._path)
            except OSError as error:
                raise StorageError(f"{self._path}: the ids of names cannot be kept: {error.strerror}") from error
            self._changed = False
