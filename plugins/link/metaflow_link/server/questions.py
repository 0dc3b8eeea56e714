"""Questions to agents: each has a call of its own on which they are put."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metaflow_core.api import Answer, BuildContext
from metaflow_core.errors import QueryError, UnavailableError, UnsupportedQuery
from metaflow_link.identity import is_agent_id
from metaflow_link.server.config import ReceiverConfig
from metaflow_link.server.reading import read
from metaflow_link.server.trust import Aborted, authorise
from metaflow_link.wire.messages import messages
from metaflow_link.wire.writing import Writer

__all__ = ["Questions"]

_MOST_ABOUT = 1 << 16


class Questions:
    """The open calls by agent. Whatever an agent does, a question ends: with an answer, a sentence, or its time."""

    def __init__(self, context: BuildContext, config: ReceiverConfig) -> None:
        self._context = context
        self._config = config
        self._lines: dict[str, _Line] = {}

    def can_ask(self, agent: str) -> bool:
        """Whether the agent has opened its call."""
        return agent in self._lines

    async def serve(self, call: Any) -> None:
        """One agent's call, until it ends.

        :raises Aborted: with the status that the agent is told.
        """
        authorise(self._config, self._context.counters, call)
        agent = await self._ready(call)
        if agent not in self._lines and len(self._lines) >= self._config.max_agents:
            raise Aborted("RESOURCE_EXHAUSTED", f"{self._config.max_agents} agents are connected already")
        line = _Line(call)
        before = self._lines.get(agent)
        self._lines[agent] = line
        if before is not None:
            # a connection that broke unnoticed, or a second agent under the same id
            before.end("it has connected anew")
        try:
            while (reply := await self._read(call)) is not None:
                if reply.HasField("part"):
                    line.take(reply.part)
        finally:
            line.end("its connection ended")
            if self._lines.get(agent) is line:
                del self._lines[agent]

    async def _ready(self, call: Any) -> str:
        try:
            async with asyncio.timeout(self._config.hello_s):
                reply = await self._read(call)
        except TimeoutError:
            raise Aborted("INVALID_ARGUMENT", f"no word within {self._config.hello_s:g} s") from None
        if reply is None or not reply.HasField("ready") or not is_agent_id(reply.ready.agent_id):
            raise Aborted("INVALID_ARGUMENT", "a call for questions begins with who answers")
        return str(reply.ready.agent_id)

    async def _read(self, call: Any) -> Any:
        return await read(call, "Reply", self._context.counters)

    async def ask(
        self, agent: str, name: str, kind: str, asked: Mapping[str, Any], *, max_bytes: int, timeout_s: float
    ) -> Answer:
        """See :class:`metaflow_core.api.Asker`. :param name: of the agent, for sentences."""
        line = self._lines.get(agent)
        if line is None:
            raise UnavailableError(f"agent {name} is not connected now, so it cannot be asked")
        counters = self._context.counters
        try:
            answer = await line.ask(kind, json.dumps(asked), max_bytes, timeout_s)
        except _Unanswered as unanswered:
            counters.add("asked", reason=unanswered.reason, unit="questions")
            kinds = {"refused": QueryError, "unsupported": UnsupportedQuery}
            raise kinds.get(unanswered.reason, UnavailableError)(f"agent {name} {unanswered}") from None
        counters.add("asked", unit="questions")
        counters.add("asked", len(answer.data), unit="bytes")
        return answer


class _Unanswered(Exception):
    """:ivar reason: in a word."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(slots=True)
class _Waiting:
    number: int
    max_bytes: int
    answer: asyncio.Future[Answer]
    data: bytearray = field(default_factory=bytearray)


class _Line:
    """One agent's call. One question at a time: an agent shares its machine with what it watches."""

    def __init__(self, call: Any) -> None:
        self._writer = Writer(call)
        self._one = asyncio.Lock()
        self._numbers = 0
        self._waiting: _Waiting | None = None
        self._ended = ""

    async def ask(self, kind: str, asked: str, max_bytes: int, timeout_s: float) -> Answer:
        """:raises _Unanswered: there is no answer."""
        try:
            async with asyncio.timeout(timeout_s), self._one:
                return await self._put(kind, asked, max_bytes, timeout_s)
        except TimeoutError:
            raise _Unanswered("late", f"did not answer within {timeout_s:g} s") from None

    async def _put(self, kind: str, asked: str, max_bytes: int, timeout_s: float) -> Answer:
        if self._ended:
            raise _Unanswered("gone", f"cannot be asked: {self._ended}")
        self._numbers += 1
        waiting = _Waiting(self._numbers, max_bytes, asyncio.get_running_loop().create_future())
        self._waiting = waiting
        question = messages()["Question"](
            number=waiting.number, kind=kind, asked=asked, max_bytes=max_bytes, timeout_ms=int(timeout_s * 1000)
        )
        try:
            await self._write(question)
            return await waiting.answer
        finally:
            self._waiting = None
            if waiting.answer.cancelled() or not waiting.answer.done():
                # nobody waits any more: the agent need not go on
                withdrawn = messages()["Question"](number=waiting.number, is_withdrawn=True)
                with contextlib.suppress(_Unanswered, TimeoutError):
                    async with asyncio.timeout(1):
                        await self._write(withdrawn)

    async def _write(self, question: Any) -> None:
        from metaflow_link.grpcio import grpc

        try:
            await self._writer.write(question)
        except (grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError, grpc.aio.InternalError):
            raise _Unanswered("gone", "cannot be asked: its connection ended") from None

    def take(self, part: Any) -> None:
        """A part of an answer; of questions that nobody waits for it is passed over."""
        waiting = self._waiting
        if waiting is None or part.number != waiting.number or waiting.answer.done():
            return
        waiting.data += part.data
        if len(waiting.data) > waiting.max_bytes:
            waiting.data.clear()
            said = f"answered with more than the {waiting.max_bytes} bytes that it was asked for"
            waiting.answer.set_exception(_Unanswered("too_large", said))
        elif part.is_last and part.error:
            reason = "unsupported" if part.code == UnsupportedQuery.code else "refused"
            waiting.answer.set_exception(_Unanswered(reason, f"says: {part.error[:1000]}"))
        elif part.is_last:
            self._done(waiting, part.about)

    def _done(self, waiting: _Waiting, text: str) -> None:
        try:
            about = json.loads(text or "{}") if len(text) <= _MOST_ABOUT else None
        except (ValueError, RecursionError):
            about = None
        if isinstance(about, dict):
            waiting.answer.set_result(Answer(about, bytes(waiting.data)))
        else:
            waiting.answer.set_exception(_Unanswered("malformed", "gave an answer that cannot be read"))

    def end(self, why: str) -> None:
        """Nobody will answer here any more. Idempotent."""
        self._ended = self._ended or why
        waiting = self._waiting
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_exception(_Unanswered("gone", f"went away before it answered: {self._ended}"))
