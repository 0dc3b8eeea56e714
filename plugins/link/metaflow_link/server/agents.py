"""The agents that the server has seen: who they are, when they were last heard of, what they sent."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["Agent", "Agents"]

_MOST_NUMBER = 65_535


@dataclass(slots=True)
class Agent:
    """One agent. Times are nanoseconds since the epoch by the server's clock.

    :ivar clock_offset_ns: how far the agent's clock is ahead of the server's, as its last words told.
    :ivar connections: open now; two at once are two machines with one data directory, or a broken connection that was not noticed.
    :ivar number: stands in its rows as ``agent_id``; kept as long as the agent is remembered.
    :ivar dropped: rows and packets the agent lost since it started, ``stage reason unit`` -> number.
    """

    id: str
    number: int = 0
    hostname: str = ""
    version: str = ""
    system: str = ""
    address: str = ""
    capabilities: list[str] = field(default_factory=list)
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    started_ns: int = 0
    clock_offset_ns: int = 0
    connections: int = 0
    registrations: int = 0
    batches: int = 0
    rows: int = 0
    bytes: int = 0
    refused: int = 0
    spool_batches: int = 0
    spool_bytes: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


class Agents:
    """A bounded list that survives restarts.

    :param path: file it is kept in; None keeps it in memory.
    :ivar has_new_number: a number was given that the file does not have yet.
    """

    def __init__(self, path: Path | None, most: int) -> None:
        self._path = path
        self._most = most
        self._agents: dict[str, Agent] = {}
        self._changed = False
        self._last_number = 0
        self._saving = threading.Lock()
        self.has_new_number = False

    def load(self) -> str:
        """Read the file; returns a sentence when it could not be used, else nothing."""
        if self._path is None or not self._path.exists():
            return ""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            agents = [_agent(item) for item in document["agents"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"the list of agents {self._path} cannot be read ({error}); it begins anew, agents tell of themselves again"
        self._agents = {agent.id: agent for agent in agents[: self._most]}
        self._last_number = max((agent.number for agent in self._agents.values()), default=0)
        return ""

    def save(self) -> None:
        """Write the file when something changed.

        :raises OSError: it cannot be written.
        """
        # from several threads: a new agent's number must be kept before its first row is
        with self._saving:
            if self._path is None or not self._changed:
                return
            self._changed = self.has_new_number = False
            text = json.dumps({"agents": [asdict(agent) for agent in tuple(self._agents.values())]})
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)

    def registered(self, hello: Any, address: str, now_ns: int) -> Agent:
        """An agent said hello; nothing has to be known of it."""
        agent = self._agents.get(hello.agent_id)
        if agent is None:
            agent = self._agents[hello.agent_id] = Agent(hello.agent_id, first_seen_ns=now_ns)
            self._forget()
        if not agent.number:
            agent.number = self._next_number()
            self.has_new_number = True
        agent.hostname, agent.version, agent.system = hello.hostname[:255], hello.version[:64], hello.system[:255]
        agent.capabilities = [text[:128] for text in hello.capabilities[:256]]
        agent.address = address
        agent.started_ns = hello.started_ns
        agent.registrations += 1
        agent.connections += 1
        self.heard(agent, hello.now_ns, now_ns)
        return agent

    def _next_number(self) -> int:
        """One that no remembered agent has, the longest unused first; 0 when there is none."""
        used = {agent.number for agent in self._agents.values()}
        self._last_number = next(
            (
                number
                for number in (*range(self._last_number + 1, _MOST_NUMBER + 1), *range(1, self._last_number + 1))
                if number not in used
            ),
            0,
        )
        return self._last_number

    def heard(self, agent: Agent, its_now_ns: int, now_ns: int) -> None:
        """A sign of life that tells the agent's time."""
        agent.last_seen_ns = now_ns
        agent.clock_offset_ns = its_now_ns - now_ns
        self._changed = True

    def reported(self, agent: Agent, report: Any, now_ns: int) -> None:
        """An agent told how it is."""
        self.heard(agent, report.now_ns, now_ns)
        agent.spool_batches, agent.spool_bytes = report.spool_batches, report.spool_bytes
        lost: dict[str, int] = {}
        for counter in report.counters[:2_000]:
            if counter.stage == "dropped":
                name = f"{counter.component} {counter.reason} {counter.unit}"[:160]
                lost[name] = lost.get(name, 0) + counter.value
        agent.dropped = dict(sorted(lost.items())[:100])

    def took(self, agent: Agent, rows: int, size: int, now_ns: int) -> None:
        """A batch of an agent was stored."""
        agent.batches += 1
        agent.rows += rows
        agent.bytes += size
        agent.last_seen_ns = now_ns
        self._changed = True

    def refused(self, agent: Agent) -> None:
        """A batch of an agent will never be stored."""
        agent.refused += 1
        self._changed = True

    def left(self, agent: Agent, now_ns: int) -> None:
        """A connection ended."""
        agent.connections = max(0, agent.connections - 1)
        agent.last_seen_ns = now_ns
        self._changed = True

    def _forget(self) -> None:
        while len(self._agents) > self._most:
            gone = [agent for agent in self._agents.values() if not agent.connections]
            if not gone:
                return
            del self._agents[min(gone, key=lambda agent: agent.last_seen_ns).id]

    @property
    def connected(self) -> int:
        """Agents that are connected."""
        return sum(bool(agent.connections) for agent in self._agents.values())

    def all(self) -> Iterable[Agent]:
        """Every agent that is remembered."""
        return tuple(self._agents.values())

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """Every agent as a mapping that can be printed, the connected ones first."""
        ordered = sorted(self._agents.values(), key=lambda agent: (not agent.connections, agent.hostname, agent.id))
        return [{**asdict(agent), "connected": bool(agent.connections)} for agent in ordered]


def _agent(item: Mapping[str, Any]) -> Agent:
    kinds = {each.name: each.type for each in fields(Agent)}
    known = {name: value for name, value in item.items() if name in kinds}
    agent = Agent(**{**known, "id": str(known["id"]), "connections": 0})
    if not all(isinstance(getattr(agent, name), int) for name, kind in kinds.items() if kind == "int"):
        raise TypeError(f"agent {agent.id}: a number is none")
    return agent
