"""Answers what the server asks: the agent's end of the call for questions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from metaflow_core.api import Answer, Answerer, BuildContext
from metaflow_core.errors import MetaFlowError, QueryError, UnsupportedQuery
from metaflow_link.wire.messages import PROTOCOL, QUESTIONS, messages
from metaflow_link.wire.writing import Writer

__all__ = ["Answering"]

_PART_BYTES = 256 << 10
_MOST_BYTES = 256 << 20
_MOST_S = 300.0
_REST_S = 5.0


class Answering:
    """One question at a time, within the bytes and the time that the server gives, and never more than its own bounds.

    Components of the app that are :class:`metaflow_core.api.Answerer` answer.
    """

    def __init__(self, context: BuildContext, run_id: str) -> None:
        self._context = context
        self._run_id = run_id

    async def run(self, channel: Any, metadata: Any, agent_id: str) -> None:
        """Answer for as long as the connection lasts; until cancelled, or until the server turns out to ask nothing.

        Whatever goes wrong here, rows travel on: they have a call of their own.
        """
        from metaflow_link.grpcio import grpc

        while True:
            call = channel.stream_stream(QUESTIONS)(metadata=metadata)
            try:
                await _Conversation(self._context, call, self._answerers).run(
                    messages()["Ready"](protocol=PROTOCOL, agent_id=agent_id, run_id=self._run_id)
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    # an older server
                    return
            except (grpc.aio.UsageError, asyncio.InvalidStateError, grpc.RpcError):
                # written to a call that has just ended
                pass
            finally:
                call.cancel()
            await self._context.clock.sleep(_REST_S)

    def _answerers(self) -> Iterable[Answerer]:
        for kind in ("services", "collectors"):
            found = self._context.services.get(kind)
            for component in found.values() if isinstance(found, Mapping) else ():
                if isinstance(component, Answerer):
                    yield component


class _Conversation:
    """One call."""

    def __init__(self, context: BuildContext, call: Any, answerers: Callable[[], Iterable[Answerer]]) -> None:
        self._context = context
        self._call = call
        self._answerers = answerers
        self._number = 0
        self._working: asyncio.Task[None] | None = None
        self._writer = Writer(call)

    async def run(self, ready: Any) -> None:
        """Until the server ends it."""
        from google.protobuf.message import DecodeError

        from metaflow_link.grpcio import grpc

        await self._write(ready=ready)
        try:
            while (data := await self._call.read()) is not grpc.aio.EOF:
                with contextlib.suppress(DecodeError):
                    await self._take(messages()["Question"].FromString(data))
        finally:
            if self._working is not None:
                self._working.cancel()
                await asyncio.gather(self._working, return_exceptions=True)

    async def _take(self, question: Any) -> None:
        if question.is_withdrawn:
            if self._working is not None and question.number == self._number:
                self._working.cancel()
            return
        if self._working is not None and self._working.cancelling():
            await asyncio.wait([self._working])
        if self._working is not None and not self._working.done():
            await self._refuse(question.number, "it answers another question just now")
            return
        self._number = question.number
        self._working = asyncio.create_task(self._work(question))

    async def _work(self, question: Any) -> None:
        counters = self._context.counters
        max_bytes = min(question.max_bytes, _MOST_BYTES)
        try:
            async with asyncio.timeout(min(question.timeout_ms / 1000, _MOST_S)):
                answer = await self._answer(question, max_bytes)
                about = json.dumps(answer.about)
                if len(answer.data) > max_bytes:
                    raise QueryError(f"the answer has more than {max_bytes} bytes")
                await self._give(question.number, answer.data, about)
        except MetaFlowError as error:
            counters.add("answered", reason="refused", unit="questions")
            await self._refuse(question.number, str(error), error.code)
        except TimeoutError:
            counters.add("answered", reason="late", unit="questions")
            await self._refuse(question.number, "there was too little time to find the answer")
        except Exception as error:
            # a component that fails must not end the call
            counters.add("answered", reason="failed", unit="questions")
            self._context.logger.warning("A question of the server was not answered.", exc_info=error)
            await self._refuse(question.number, f"looking for the answer failed: {type(error).__name__}")
        else:
            counters.add("answered", unit="questions")
            counters.add("answered", len(answer.data), unit="bytes")

    async def _answer(self, question: Any, max_bytes: int) -> Answer:
        """:raises MetaFlowError: nobody can."""
        try:
            asked = json.loads(question.asked or "{}")
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise QueryError("the question cannot be read")
        kind = question.kind[:64]
        for component in self._answerers():
            if kind in component.answers():
                return await component.answer(kind, asked, max_bytes)
        raise UnsupportedQuery(f"nothing that runs here answers questions about {kind}")

    async def _give(self, number: int, data: bytes, about: str) -> None:
        ends = list(range(0, len(data), _PART_BYTES)) or [0]
        for start in ends:
            is_last = start == ends[-1]
            part = {"number": number, "data": data[start : start + _PART_BYTES], "is_last": is_last}
            await self._write(part=part | ({"about": about} if is_last else {}))

    async def _refuse(self, number: int, sentence: str, code: str = QueryError.code) -> None:
        await self._write(part={"number": number, "is_last": True, "error": sentence[:1000], "code": code})

    async def _write(self, **body: Any) -> None:
        await self._writer.write(messages()["Reply"](**body))
