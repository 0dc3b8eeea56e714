"""Small stable numbers for names, and the names of numbers that rows may hold.

All taggers of an app share one book, so that two of them never give one number to different things, and agree on the number of the same.

Numbers of 16 bits are kept for the kinds whose columns are that narrow; all others begin above. No two things have one number at a time,
whatever their kind, so that a dictionary over several kinds needs no more than the number.

What nobody holds any more is forgotten by age and by number: storages keep the names of the rows that they have, so the book has to know
only what may come back under its name. A cluster that makes a hundred pods a second would else fill any memory and any disk.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

from metaflow_core.api.ids_file import IdsFile, Line
from metaflow_core.api.paged import Paged

__all__ = ["IdBook"]

_NARROW = frozenset({"region", "az", "host", "vpc", "subnet", "pod_cluster", "pod_ns"})
_FIRST_WIDE = 1 << 16
_LAST_NARROW = 65_533
"""The greatest VPC of the reference model."""
_KEPT_S = 7 * 86_400.0
_MOST_IDLE = 100_000


class IdBook:
    """Numbers by kind and identity; kept in a file when there is one. Safe to use from several threads.

    A *kind* is a dictionary of the catalogue (``pod``, ``host``, ``gprocess``, ...). An *identity* tells a thing from all others of its
    kind, and outlives the process: ``cluster/namespace/name``, never a counter.

    :param path: where to keep them; None for as long as the process lives.
    :param kept_s: seconds for which something that nobody holds keeps its number, and :param most_idle: how many of these at most.
    :param now_s: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        kept_s: float = _KEPT_S,
        most_idle: int = _MOST_IDLE,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = IdsFile(path) if path is not None else None
        self._kept_s, self._most_idle, self._now_s = kept_s, most_idle, now_s
        self._lock = threading.Lock()
        self._numbers: dict[str, dict[str, int]] = {}
        self._names: Paged[str] = Paged()
        self._renamed: dict[int, int | None] = {}
        # Holders beyond the first; and what has none, in the order in which it was left.
        self._more: dict[int, int] = {}
        self._idle: dict[int, tuple[str, str, float]] = {}
        self._narrow, self._wide = 1, _FIRST_WIDE
        self._used_narrow: deque[int] = deque()
        self._new: list[Line] = []
        self._historian: weakref.ref[object] | None = None
        self._opened = False

    def open(self) -> None:
        """Reads what was given before. Idempotent: whoever needs the book first opens it.

        :raises StorageError: the file is not what it was written as.
        """
        with self._lock:
            if self._opened:
                return
            for kind, identity, number, name in self._file.read() if self._file is not None else ():
                if number < _FIRST_WIDE:
                    self._narrow = max(self._narrow, number + 1)
                else:
                    self._wide = max(self._wide, number + 1)
                if kind:
                    self._numbers.setdefault(kind, {})[identity] = number
                    self._names.put(number, name)
            now_s = self._now_s()
            for kind, known in self._numbers.items():
                for identity, number in known.items():
                    self._idle[number] = kind, identity, now_s
            self._opened = True

    def __len__(self) -> int:
        return len(self._names)

    def give(self, kind: str, identity: str, name: str, since_s: int | None = None) -> tuple[int, bool]:
        """The number of something, and whether its name is another one than before; a new number when it has none. The caller holds it
        until it calls :meth:`release` as often.

        :param since_s: the second since 1970 from which on it has another name than before; None for "it always had".
        :raises OverflowError: there are no more numbers that are narrow enough.
        """
        with self._lock:
            known = self._numbers.setdefault(kind, {})
            number = known.get(identity)
            if number is None:
                number = known[identity] = self._next(kind)
                self._name(kind, identity, number, name)
                return number, True
            if self._idle.pop(number, None) is None:
                self._more[number] = self._more.get(number, 0) + 1
            is_named = self._names.get(number) != name
            if is_named:
                self._renamed[number] = since_s
                self._name(kind, identity, number, name)
            return number, is_named

    def _name(self, kind: str, identity: str, number: int, name: str) -> None:
        self._names.put(number, name)
        if self._file is not None:
            self._new.append((kind, identity, number, name))

    def _next(self, kind: str) -> int:
        if kind not in _NARROW:
            number, self._wide = self._wide, self._wide + 1
            return number
        if self._narrow <= _LAST_NARROW:
            number, self._narrow = self._narrow, self._narrow + 1
            return number
        # Rows of the past keep their name: a storage is told since when a number has another one.
        if not self._used_narrow:
            self._forget(0.0, 0, narrow_only=True)
            self._used_narrow.extend(n for n in range(1, _LAST_NARROW + 1) if self._names.get(n) is None)
        if not self._used_narrow:
            raise OverflowError(f"more than {_LAST_NARROW} regions, zones, hosts, VPCs, subnets and clusters at a time")
        number = self._used_narrow.popleft()
        self._renamed[number] = int(time.time())
        return number

    def release(self, kind: str, identity: str) -> None:
        """One holder less. What has none keeps its number for a while: it may come back."""
        with self._lock:
            number = self._numbers.get(kind, {}).get(identity)
            if number is None or number in self._idle:
                return
            left = self._more.pop(number, 0) - 1
            if left > 0:
                self._more[number] = left
            elif left < 0:
                self._idle[number] = kind, identity, self._now_s()

    def _forget(self, kept_s: float, most: int, *, narrow_only: bool = False) -> None:
        late = self._now_s() - kept_s
        gone = []
        left = len(self._idle)
        for number, (kind, identity, since) in self._idle.items():
            if left <= most and since > late:
                break
            if narrow_only and number >= _FIRST_WIDE:
                continue
            left -= 1
            gone.append(number)
            del self._numbers[kind][identity]
            self._names.drop(number)
            self._renamed.pop(number, None)
        for number in gone:
            del self._idle[number]

    def name(self, number: int) -> str:
        """What a number is called; empty where it is forgotten."""
        return self._names.get(number) or ""

    def since(self, number: int, otherwise: int | None) -> int | None:
        """The second since 1970 from which on a number has the name that it has."""
        return self._renamed.get(number, otherwise)

    def names(self) -> dict[str, dict[int, str]]:
        """The name of every number, by kind."""
        with self._lock:
            return {
                kind: {number: self._names.get(number) or "" for number in known.values()}
                for kind, known in sorted(self._numbers.items())
            }

    def past(self, asker: object) -> dict[str, list[int]]:
        """The numbers that nobody holds, by kind: rows of the past may have them. One of all that ask is told, and no other while it
        lives: it is enough that a storage hears of them once.
        """
        with self._lock:
            if self._historian is None or self._historian() is None:
                self._historian = weakref.ref(asker)
            found: dict[str, list[int]] = {}
            if self._historian() is asker:
                for number, (kind, _, _) in self._idle.items():
                    found.setdefault(kind, []).append(number)
            return found

    def save(self) -> None:
        """Writes what was given since the last time to the end of the file: a number stands there before any row holds it. And forgets
        what nobody held for long.

        :raises StorageError: it cannot be written; it is tried again with the next call.
        """
        with self._lock:
            self._forget(self._kept_s, self._most_idle)
            if self._file is None:
                return
            if self._new:
                self._file.append(self._new)
                self._new.clear()
            if self._file.is_long(len(self._names)):
                self._file.replace(self._all())

    def _all(self) -> list[Line]:
        """Everything that is known, with the greatest numbers that were ever given: none of those is given anew."""
        marks: list[Line] = [("", "", self._narrow - 1, ""), ("", "", self._wide - 1, "")]
        return marks + [
            (kind, identity, number, self._names.get(number) or "")
            for kind, known in self._numbers.items()
            for identity, number in known.items()
        ]
