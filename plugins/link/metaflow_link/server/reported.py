"""What agents said that their taggers know: the server's picture, kept over restarts."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from metaflow_core.api import Counters, Names
from metaflow_core.errors import ParseError
from metaflow_core.tagging import LATEST, Entry, entry_of
from metaflow_link.server.journal import Journal
from metaflow_link.wire.knowledge import ENTRIES, MADE_OF_NAMES, Op, key_of, names_of, ops_of

__all__ = ["Reported", "Source"]

_AGENTS = "agent"
"""The dictionary that names agents."""
_MOST_ENTRIES = 500_000
_MOST_SOURCES = 20_000
_MOST_NAMES = 200_000
_MOST_TOLD = 10_000
"""Names that are kept in the order in which they came; older ones are told as what they are now."""
_HISTORY_NS = 3_600_000_000_000


@dataclass(slots=True)
class Source:
    """What is known of one scope: a cluster, or what a tagger of one agent knows.

    :ivar speaker: the agent that speaks for it. :ivar fresh: keys that were told since it began anew; None when all was told.
    :ivar past: entries that nobody confirmed when another one began to speak; they hold for rows of the past.
    """

    scope: str
    speaker: str = ""
    reign: int = -1
    entries: dict[str, Entry] = field(default_factory=dict)
    fresh: set[str] | None = None
    past: deque[tuple[int, Entry]] = field(default_factory=deque)
    version: int = 0


class Reported:
    """Safe from several threads.

    :param folder: where it is kept; None for as long as the process lives. :param dictionaries: those of the catalogue.
    """

    def __init__(self, folder: Path | None, counters: Counters, dictionaries: AbstractSet[str]) -> None:
        self._dictionaries = dictionaries
        self._journal = Journal(folder)
        self._counters = counters
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}
        self._members: dict[str, set[str]] = {}
        self._names: deque[Names] = deque()
        self._told = 0
        self._texts: dict[tuple[str, int], str] = {}
        self._agents: dict[int, tuple[str, str]] = {}
        self.changes = 0
        self._opened = False

    def open(self) -> None:
        """Read what was kept. Idempotent."""
        with self._lock:
            if self._opened:
                return
            self._opened = True
            for line in self._journal.read():
                self._replay(line)

    def _replay(self, line: Any) -> None:
        try:
            if line[0] == "name":
                self._name(str(line[1]), int(line[2]), str(line[3]), line[4])
            else:
                agent, now_ns, op = str(line[1]), int(line[2]), Op(*line[3:])
                self._apply(agent, op, now_ns)
        except (TypeError, ValueError, IndexError, KeyError):
            self._counters.add("dropped", reason="journal_damaged", unit="lines")

    def take(self, agent: str, table: str, data: pa.RecordBatch, now_ns: int) -> int:
        """Take in what an agent says; when this returns it is kept. Returns how many things it said.

        :raises ParseError: it is no such thing. :raises OSError: it cannot be kept; the agent says it again.
        """
        self.open()
        lines: list[Any] = []
        with self._lock:
            if table == ENTRIES:
                lines += [
                    ["op", agent, now_ns, op.op, op.tagger, op.scope, op.reign, op.key, op.entry]
                    for op in ops_of(data)
                    if self._apply(agent, op, now_ns)
                ]
            else:
                lines += [["name", *name] for name in names_of(data) if self._name(*name)]
            self._journal.append(lines, self._snapshot)
        return int(data.num_rows)

    def _apply(self, agent: str, op: Op, now_ns: int) -> bool:
        """Whether it changed anything."""
        scope = op.scope or f"agent/{agent}/{op.tagger}"
        if len(scope) > 512:
            raise ParseError("a scope has 512 characters at most")
        is_new = scope not in self._members.setdefault(agent, set())
        self._members[agent].add(scope)
        if op.op == "member":
            return is_new
        source = self._sources.get(scope)
        if source is None:
            if len(self._sources) >= _MOST_SOURCES:
                self._counters.add("refused", reason="too_many_scopes", unit="entries")
                return False
            source = self._sources[scope] = Source(scope)
        if op.op == "begin":
            if op.reign < source.reign:
                self._counters.add("refused", reason="reign_is_over", unit="entries")
                return False
            source.speaker, source.reign, source.fresh = agent, op.reign, set()
            return True
        if (source.speaker, source.reign) != (agent, op.reign):
            self._counters.add("refused", reason="reign_is_over", unit="entries")
            return False
        return self._change(source, op, now_ns)

    def _change(self, source: Source, op: Op, now_ns: int) -> bool:
        if op.op == "put":
            if source.fresh is not None:
                source.fresh.add(op.key)
            if op.key in source.entries:
                return source.fresh is not None
            if len(source.entries) >= _MOST_ENTRIES:
                self._counters.add("refused", reason="too_many_entries", unit="entries")
                return False
            try:
                source.entries[op.key] = self._checked(entry_of(json.loads(op.entry)))
            except (ValueError, RecursionError):
                self._counters.add("refused", reason="malformed", unit="entries")
                return False
        elif op.op == "drop":
            if source.entries.pop(op.key, None) is None:
                return False
        elif op.op == "whole":
            if source.fresh is None:
                return False
            for key in source.entries.keys() - source.fresh:
                entry = source.entries.pop(key)
                # whoever spoke before would have told its end; it is not known better
                if entry.valid_to == LATEST:
                    entry = replace(entry, valid_to=max(now_ns, entry.valid_from))
                source.past.append((now_ns, entry))
            source.fresh = None
        else:
            raise ParseError(f"{op.op[:40]!r} is nothing that an agent says of entries")
        while source.past and source.past[0][0] < now_ns - _HISTORY_NS:
            source.past.popleft()
        source.version += 1
        self.changes += 1
        return True

    def _checked(self, entry: Entry) -> Entry:
        """:raises ValueError: it speaks of a dictionary that there is not."""
        if unknown := {entry.dictionary, *entry.tags} - self._dictionaries - {""}:
            raise ValueError(f"there is no dictionary {min(unknown)!r}")
        return entry

    def _name(self, dictionary: str, number: int, text: str, valid_from_s: int | None) -> bool:
        if number < MADE_OF_NAMES or len(text) > 1 << 20 or dictionary not in self._dictionaries:
            # a number of the agent's own book: the server gives its own
            return False
        if self._texts.get((dictionary, number)) == text:
            return False
        if len(self._texts) >= _MOST_NAMES:
            # the oldest were told to the storage long ago
            for old in list(self._texts)[: _MOST_NAMES // 4]:
                del self._texts[old]
        self._texts[dictionary, number] = text
        self._tell(Names(dictionary, {number: text}, valid_from_s))
        return True

    def name_agent(self, number: int, hostname: str, agent: str) -> None:
        """Rows with this number are of an agent on that machine."""
        with self._lock:
            known, _ = self._agents.get(number, ("", ""))
            if number:
                self._agents[number] = hostname, agent
            if number and _AGENTS in self._dictionaries and known != hostname:
                self._tell(Names(_AGENTS, {number: hostname}))

    def agent(self, number: int) -> str:
        """Whose rows have this number; empty where no agent with it was here since the server started."""
        return self._agents.get(number, ("", ""))[1]

    def _tell(self, names: Names) -> None:
        self._names.append(names)
        self._told += 1
        if len(self._names) > _MOST_TOLD:
            self._names.popleft()

    def _snapshot(self) -> list[Any]:
        """The same, in as few lines as it takes."""
        lines: list[Any] = [["name", *key, text, None] for key, text in self._texts.items()]
        lines += [
            ["op", agent, 0, "member", *_said(scope)]
            for agent, scopes in self._members.items()
            for scope in sorted(scopes)
        ]
        for source in self._sources.values():
            head = [*_said(source.scope), source.reign]
            lines.append(["op", source.speaker, 0, "begin", *head])
            lines += [
                ["op", source.speaker, 0, "put", *head, key, key_of(entry)[1]] for key, entry in source.entries.items()
            ]
            if source.fresh is None:
                lines.append(["op", source.speaker, 0, "whole", *head])
        return lines

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """Names of numbers after a position; after one that is too old, all that are known."""
        with self._lock:
            first = self._told - len(self._names)
            if after >= first:
                return self._told, tuple(islice(self._names, after - first, None))
            known: dict[str, dict[int, str]] = {}
            for (dictionary, number), text in self._texts.items():
                known.setdefault(dictionary, {})[number] = text
            if _AGENTS in self._dictionaries:
                known[_AGENTS] = {number: hostname for number, (hostname, _) in self._agents.items()}
            # What came last stands behind it with the second from which it is valid.
            return self._told, (*(Names(dictionary, texts) for dictionary, texts in known.items()), *self._names)

    @property
    def told(self) -> int:
        """The position after the last name."""
        return self._told

    def version(self, scope: str) -> int:
        """Grows with every change of a scope."""
        source = self._sources.get(scope)
        return source.version if source is not None else 0

    def entries(self, scope: str) -> tuple[int, list[Entry]]:
        """What is known of a scope, and its version."""
        with self._lock:
            source = self._sources.get(scope)
            if source is None:
                return 0, []
            return source.version, [*source.entries.values(), *(entry for _, entry in source.past)]

    def scopes(self, agent: str) -> tuple[str, ...]:
        """Whose entries are about the rows of an agent, the surest first.

        Addresses mean something inside their cluster only. An agent that belongs to none is tagged by a cluster where there is but one.
        """
        with self._lock:
            mine = sorted(self._members.get(agent, ()))
            shared = [scope for scope in mine if not scope.startswith("agent/")]
            if not shared:
                every = [scope for scope in self._sources if not scope.startswith("agent/")]
                shared = every if len(every) == 1 else []
            return (*shared, *(scope for scope in mine if scope.startswith("agent/")))


def _said(scope: str) -> list[str]:
    """Tagger and scope as an agent said them."""
    return [scope.split("/", 2)[2], ""] if scope.startswith("agent/") else ["", scope]
