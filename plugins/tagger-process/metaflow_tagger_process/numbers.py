"""Numbers for processes and their names, and what the numbers mean."""

from __future__ import annotations

import hashlib
import json
import pwd
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from metaflow_core.api import Names
from metaflow_tagger_process.processes import Process

__all__ = ["Numbers"]

_TOP = 1 << 31


class Numbers:
    """Numbers are made from what they stand for (their top bit is set, which keeps them apart from those that other taggers count
    up), so that a restart gives the same ones. Safe from several threads.

    :param host: tells this machine's processes from another's. :param tree: parents of a process, nearest first.
    """

    def __init__(self, host: str, most: int, tree: Callable[[Process], Sequence[Process]]) -> None:
        self._host = host
        self._most = most
        self._tree = tree
        self._lock = threading.Lock()
        self._owners: dict[int, str] = {}
        self._processes: dict[tuple[int, int, str], int] = {}
        self._services: dict[str, int] = {}
        self._named: list[tuple[str, int, str]] = []
        self.shared = 0

    def process(self, process: Process) -> int:
        """The number of a process: its own, or beyond the limit one for all of its name."""
        key = (process.pid, process.start, process.name)
        number = self._processes.get(key)
        if number is not None:
            return number
        with self._lock:
            if len(self._processes) >= self._most:
                self.shared += 1
                identity, label = f"{self._host}/all/{process.name}", f"{process.name} (several)"
                number = self._give(identity)
                if number >= 0:
                    self._say(number, label, {"name": process.name})
                return abs(number)
            number = self._give(f"{self._host}/{process.pid}/{process.start}/{process.name}")
            if number >= 0:
                self._say(number, f"{process.name}/{process.pid}", self._tags(process))
            self._processes[key] = abs(number)
            return abs(number)

    def service(self, name: str) -> int:
        """The number of a name that processes share."""
        number = self._services.get(name)
        if number is not None:
            return number
        with self._lock:
            if len(self._services) >= self._most:
                return 0
            number = self._give(f"service/{name}")
            if number >= 0:
                self._named.append(("device", number, name))
            self._services[name] = abs(number)
            return abs(number)

    def _give(self, identity: str) -> int:
        """A number; negative when it was given before."""
        attempt = 0
        while True:
            digest = hashlib.blake2b(f"{identity}#{attempt}".encode("utf-8", "replace"), digest_size=4).digest()
            number = int.from_bytes(digest, "little") | _TOP
            owner = self._owners.setdefault(number, "")
            if owner == identity:
                return -number
            if not owner:
                self._owners[number] = identity
                return number
            attempt += 1

    def _say(self, number: int, label: str, tags: Mapping[str, object]) -> None:
        text = json.dumps(tags, ensure_ascii=False, sort_keys=True)
        self._named += [("gprocess", number, label), ("device", number, label), ("process_tag", number, text)]

    def _tags(self, process: Process) -> dict[str, object]:
        owner = process.owner
        tags: dict[str, object] = {
            "name": process.name,
            "pid": str(process.pid),
            "command_line": process.command_line,
            "user": _user(process.uid),
            "start": datetime.fromtimestamp(process.start_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
            "container": owner.container,
            "container_runtime": owner.runtime,
            "pod_uid": owner.pod,
            "unit": owner.unit,
            "tree": " > ".join(f"{item.name}/{item.pid}" for item in reversed([process, *self._tree(process)])),
        }
        # what the user says of a process comes beside what was found, never in its place
        return {**dict(process.tags), **{key: value for key, value in tags.items() if value}}

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """See :meth:`NamesSource.names`."""
        with self._lock:
            new, position = self._named[after:], len(self._named)
        by_dictionary: dict[str, dict[int, str]] = {}
        for dictionary, number, text in new:
            by_dictionary.setdefault(dictionary, {})[number] = text
        return position, [Names(dictionary, names) for dictionary, names in by_dictionary.items()]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
