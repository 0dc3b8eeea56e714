"""Which process held an end of a connection at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from metaflow_tagger_process.processes import Process

__all__ = ["Endpoints", "Key", "Learned", "Tenure"]

Key = tuple[int, bytes, int, bytes, int]
"""Protocol, local address and port, remote address and port; no remote for one that waits for anybody."""

_NOBODY = b""
_CURRENT = 4
_RAREST = 3


@dataclass(slots=True)
class Tenure:
    """A process held an end from one look to another."""

    process: Process
    first_ns: int
    last_ns: int


class Endpoints:
    """Tenures by end. A look is :meth:`begin`, any number of :meth:`held`, and :meth:`done`.

    Between two looks an end may have been held before it was first seen: rows of the time of one look before are given to it too,
    unless somebody else was seen then.
    """

    def __init__(self, most: int, history_ns: int, slack_ns: int) -> None:
        self._most = most
        self._history_ns = history_ns
        self._least_slack_ns = self._slack_ns = slack_ns
        self._held: dict[Key, tuple[Tenure, ...]] = {}
        self._now = 0
        self._previous = 0
        self.refused = 0

    def begin(self, now_ns: int) -> None:
        """A look at this time begins."""
        self._previous, self._now = self._now, now_ns
        if self._previous:
            # looks are further apart where they cost much; after a rest without rows nothing of long ago is meant
            apart = now_ns - self._previous
            self._slack_ns = max(self._least_slack_ns, min(apart, _RAREST * self._least_slack_ns))

    def held(
        self, protocol: int, local: bytes, local_port: int, remote: bytes, remote_port: int, process: Process
    ) -> None:
        """A process holds an end now."""
        key = (protocol, local, local_port, remote, remote_port)
        known = self._held.get(key, ())
        if known and known[-1].process is process:
            known[-1].last_ns = self._now
            return
        if known and known[-1].last_ns == self._now:
            return  # two network namespaces show the same end: the first that was looked at is meant
        if not known and len(self._held) >= self._most:
            self.refused += 1
            return
        self._held[key] = (*known[-3:], Tenure(process, self._now, self._now))

    def done(self) -> None:
        """The look is over: forget what ended too long ago."""
        oldest = self._now - self._history_ns
        gone = [key for key, tenures in self._held.items() if tenures[-1].last_ns < oldest]
        for key in gone:
            del self._held[key]

    def at(
        self,
        protocol: int,
        local: bytes,
        local_port: int,
        remote: bytes,
        remote_port: int,
        time_ns: int,
        width_ns: int = 0,
    ) -> Process | None:
        """Who held an end: the connection itself if it was seen, else who waited for it.

        :param width_ns: the row is about as much time from ``time_ns`` on.
        """
        exact = self._held.get((protocol, local, local_port, remote, remote_port))
        if exact:
            found = self._among(exact, time_ns, width_ns)
            if found:
                return found
        waiting = self._held.get((protocol, local, local_port, _NOBODY, 0))
        return self._among(waiting, time_ns, width_ns) if waiting else None

    def _among(self, tenures: tuple[Tenure, ...], time_ns: int, width_ns: int) -> Process | None:
        for index in range(len(tenures) - 1, -1, -1):
            tenure = tenures[index]
            earliest = tenure.first_ns - self._slack_ns
            if index and earliest <= tenures[index - 1].last_ns:
                earliest = tenures[index - 1].last_ns + 1
            earliest = max(earliest, tenure.process.start_ns - 50_000_000)
            # What was held at the last look is held until another one says otherwise; the next may be some looks away.
            slack = self._slack_ns * (_CURRENT if tenure.last_ns == self._now else 1)
            if earliest <= time_ns + width_ns and time_ns <= tenure.last_ns + slack:
                return tenure.process
        return None

    def __len__(self) -> int:
        return len(self._held)


class Learned:
    """Ends of connections whose process a row named: the other end's row, and packets of the same connection, may not name it.

    A connection that lives shorter than the time between two looks at the sockets is known this way only. Safe from several threads.
    """

    _NEAR_NS = 60_000_000_000

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[Process, int]] = {}

    def learn(self, key: Key, process: Process, time_ns: int) -> None:
        """A row said so; the oldest are forgotten when there are too many."""
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = (process, time_ns)
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def at(self, key: Key, time_ns: int) -> Process | None:
        """Who a row of about that time named for this end."""
        found = self._known.get(key)
        return found[0] if found and abs(found[1] - time_ns) <= self._NEAR_NS else None
