"""Questions that one MetaFlow puts to another: a server to its agents, about what stays on their machines.

Rows travel; what would be too much to send unasked (the packets of every flow) is kept where it was seen, and asked for. A question has a
*kind* that names who answers it, and plain JSON; an answer has plain JSON and bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

__all__ = ["Answer", "Answerer", "Asker", "Peer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    :ivar about: plain JSON, of a few kilobytes. :ivar data: bytes that go with it, of what type ``about`` and the kind say.
    """

    about: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""


@runtime_checkable
class Answerer(Protocol):
    """What a component offers besides when it answers questions from elsewhere."""

    def answers(self) -> Collection[str]:
        """The kinds of questions that it answers, such as ``packets``."""
        ...

    async def answer(self, kind: str, asked: Mapping[str, Any], max_bytes: int) -> Answer:
        """Answer one. It is cancelled when nobody waits any more, and should then end soon.

        :param asked: plain JSON from another machine: believe nothing of it. :param max_bytes: that the answer's data may have.
        :raises MetaFlowError: it cannot be answered; the sentence is shown to the person who asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Another MetaFlow.

    :ivar id: to ask it by. :ivar name: for people. :ivar number: that its rows carry in ``agent_id``, 0 when they carry none.
    :ivar is_there: it can be asked now. :ivar seen_ns: when it was last heard of, nanoseconds since 1970.
    """

    id: str
    name: str
    number: int = 0
    is_there: bool = False
    seen_ns: int = 0


@runtime_checkable
class Asker(Protocol):
    """What a component offers besides when other MetaFlows can be asked through it."""

    def peers(self) -> Sequence[Peer]:
        """All that are known, also those that are not there now."""
        ...

    async def ask(self, peer: str, kind: str, asked: Mapping[str, Any], *, max_bytes: int, timeout_s: float) -> Answer:
        """Ask one, by its id. Questions to one peer wait for each other; waiting counts into the time.

        :raises UnavailableError: it is not there, went away meanwhile, or did not answer in time. :raises QueryError: it cannot
            answer this, as it says itself.
        """
        ...
