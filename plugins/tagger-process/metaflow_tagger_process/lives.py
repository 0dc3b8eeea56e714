"""Which process had a number at a time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from metaflow_tagger_process.processes import Process

__all__ = ["Life", "Lives"]

# a start is known to a clock tick, and rows may carry the time of another clock reading
_SLACK_NS = 50_000_000


@dataclass(slots=True)
class Life:
    """A process while it ran: ``end_ns`` is None as long as it does."""

    process: Process
    end_ns: int | None = None
    inode: int = 0


class Lives:
    """Lives by process number; ended ones are forgotten after a while, and when there are too many."""

    def __init__(self, most: int, history_ns: int) -> None:
        self._most = most
        self._history_ns = history_ns
        self._by_pid: dict[int, list[Life]] = {}
        self._ended: OrderedDict[tuple[int, int], Life] = OrderedDict()
        self.running: dict[int, Life] = {}

    def began(self, process: Process, inode: int) -> bool:
        """A process runs; False when there is no room for it."""
        known = self.running.get(process.pid)
        if known and known.process.start == process.start:
            # another program in the same process (execve) is another name from now on
            known.inode = inode
            if known.process != process:
                known.process = process
            return True
        if known:
            self.ended(process.pid, process.start_ns)
        if len(self.running) >= self._most:
            return False
        life = Life(process, None, inode)
        self.running[process.pid] = life
        # a new list: readers in another thread keep the old one
        self._by_pid[process.pid] = [*self._by_pid.get(process.pid, ()), life]
        return True

    def ended(self, pid: int, now_ns: int) -> None:
        """A process is gone."""
        life = self.running.pop(pid, None)
        if life is None:
            return
        life.end_ns = now_ns
        self._ended[pid, life.process.start] = life
        while len(self._ended) > self._most:
            self._forget(*self._ended.popitem(last=False))

    def forget(self, now_ns: int) -> None:
        """Let go of what ended too long ago."""
        while self._ended:
            key, life = next(iter(self._ended.items()))
            if (life.end_ns or 0) >= now_ns - self._history_ns:
                return
            del self._ended[key]
            self._forget(key, life)

    def _forget(self, key: tuple[int, int], life: Life) -> None:
        left = [item for item in self._by_pid.get(key[0], ()) if item is not life]
        if left:
            self._by_pid[key[0]] = left
        else:
            self._by_pid.pop(key[0], None)

    def at(self, pid: int, time_ns: int, width_ns: int = 0) -> Process | None:
        """Who had the number at that time, or last had it in as much time from then on."""
        for life in reversed(self._by_pid.get(pid, ())):
            if life.process.start_ns - _SLACK_NS <= time_ns + width_ns and (
                life.end_ns is None or time_ns <= life.end_ns + _SLACK_NS
            ):
                return life.process
        return None

    def __len__(self) -> int:
        return len(self.running) + len(self._ended)
