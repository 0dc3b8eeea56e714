"""The connection: greets, sends what is spooled within the window, takes answers, and begins again when it breaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from metaflow_core.api import BuildContext, CounterSample
from metaflow_link.agent.answering import Answering
from metaflow_link.agent.config import SenderConfig
from metaflow_link.agent.dial import Dialer
from metaflow_link.agent.outbox import Outbox
from metaflow_link.spool.spool import Record
from metaflow_link.wire.messages import METHOD, PROTOCOL, messages

__all__ = ["Sender"]

_READ_AT_ONCE = 64
_MOST_COUNTERS = 2_000


class _Ended(Exception):
    """The connection is of no use any more; the text says why. :ivar is_refusal: waiting will not help, somebody must act."""

    def __init__(self, text: str, *, is_refusal: bool = False) -> None:
        super().__init__(text)
        self.is_refusal = is_refusal


class Sender:
    """Runs until cancelled; whatever the network does, it goes on.

    :param hello: makes the greeting. :param counters: the agent's counters, for reports.
    :param connected: called on every connection. :param answering: answers what the server asks; None where it may ask nothing.
    """

    def __init__(
        self,
        context: BuildContext,
        config: SenderConfig,
        outbox: Outbox,
        dialer: Dialer,
        hello: Callable[[], Any],
        counters: Callable[[], Iterable[CounterSample]],
        connected: Callable[[], None],
        answering: Answering | None = None,
    ) -> None:
        self._context = context
        self._config = config
        self._outbox = outbox
        self._dialer = dialer
        self._hello = hello
        self._all_counters = counters
        self._connected = connected
        self._answering = answering
        self._flying: dict[int, int] = {}
        self._flying_bytes = 0
        self._landed = asyncio.Event()
        self._writing = asyncio.Lock()
        self.is_connected = False

    async def run(self) -> None:
        """Connect again and again."""
        failures = 0
        while True:
            try:
                await self._guarded()
            except _Ended as ended:
                failures = 0 if self.is_connected else failures + 1
                rest = self._rest_s(max(failures, 1), is_refusal=ended.is_refusal)
                batches, rows, _ = self._outbox.waiting
                self._context.counters.add(
                    "disconnected", reason="refused" if ended.is_refusal else "lost", unit="times"
                )
                said = f"{ended}; {batches} batches ({rows} rows) wait in the spool, trying again in {rest:.1f} s"
                self._context.report("degraded", said)
                self._context.logger.log(30 if failures <= 1 else 20, "%s.", said)
            finally:
                self.is_connected = False
                self._flying.clear()
                self._flying_bytes = 0
            await self._context.clock.sleep(rest)

    async def _guarded(self) -> None:
        """:raises _Ended: always, whatever the network or the server did."""
        try:
            await self._connection()
        except _Ended:
            raise
        except Exception as error:
            self._context.logger.warning("The connection broke off.", exc_info=error)
            raise _Ended(
                f"the connection to {self._config.server} broke off: {type(error).__name__}: {error}"
            ) from error

    def _rest_s(self, failures: int, *, is_refusal: bool) -> float:
        if is_refusal:
            return self._config.retry_most_s
        longest = min(self._config.retry_s * 2.0 ** min(failures - 1, 16), self._config.retry_most_s)
        # a thousand agents must not come back in the same moment
        return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _connection(self) -> None:
        """One connection from greeting to end; never returns.

        :raises _Ended: always.
        """
        from metaflow_link.grpcio import grpc

        channel = self._dialer.channel()
        try:
            call = channel.stream_stream(METHOD)(metadata=self._dialer.metadata())
            questions: asyncio.Task[None] | None = None
            try:
                hello = self._hello()
                welcome = await self._greet(call, hello)
                if self._answering is not None:
                    answers = self._answering.run(channel, self._dialer.metadata(), hello.agent_id)
                    questions = asyncio.create_task(answers, name="metaflow-answers")
                await self._outbox.rewind()
                self.is_connected = True
                self._connected()
                self._context.counters.add("connected", unit="times")
                self._context.report("running", f"connected to {self._config.server}")
                await self._exchange(call, welcome)
            except grpc.aio.AioRpcError as error:
                raise self._ended(error) from None
            except (grpc.aio.UsageError, asyncio.InvalidStateError, grpc.RpcError) as error:
                # written to a call that has just ended; the call itself knows why
                code = await call.code()
                raise self._ended_with(code, await call.details() or str(error)) from None
            finally:
                call.cancel()
                if questions is not None:
                    questions.cancel()
                    await asyncio.gather(questions, return_exceptions=True)
        finally:
            await channel.close()

    async def _greet(self, call: Any, hello: Any) -> Any:
        frame = messages()["Frame"](hello=hello)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await call.write(frame.SerializeToString())
                answer = await self._read(call)
        except TimeoutError:
            raise _Ended(
                f"{self._config.server} did not answer within {self._config.timeout_s:g} s; is it a MetaFlow server?"
            ) from None
        if not answer.HasField("welcome"):
            raise _Ended(f"{self._config.server} did not greet; is it a MetaFlow server?", is_refusal=True)
        welcome = answer.welcome
        if welcome.protocol != PROTOCOL:
            raise _Ended(
                f"the server {self._config.server} (MetaFlow {welcome.version}) speaks protocol {welcome.protocol} and this agent "
                f"{PROTOCOL}; bring both to one version, the server first",
                is_refusal=True,
            )
        return welcome

    async def _read(self, call: Any) -> Any:
        from metaflow_link.grpcio import grpc

        data = await call.read()
        if data is grpc.aio.EOF:
            raise self._ended_with(await call.code(), await call.details() or "the server ended the connection")
        return messages()["Answer"].FromString(data)

    async def _exchange(self, call: Any, welcome: Any) -> None:
        tasks = [
            asyncio.create_task(self._answers(call)),
            asyncio.create_task(self._parcels(call, welcome)),
            asyncio.create_task(self._reports(call)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # what the server says of the end is worth more than that a write to it failed
            for task in sorted(done, key=tasks.index):
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answers(self, call: Any) -> None:
        counters = self._context.counters
        while True:
            answer = await self._read(call)
            finished = [*answer.stored, *(refusal.sequence for refusal in answer.refused)]
            for refusal in answer.refused:
                self._context.logger.warning("The server will not store a batch: %s.", refusal.sentence)
                counters.add("refused", reason=_word(refusal.reason), unit="batches")
            for sequence in finished:
                self._flying_bytes -= self._flying.pop(sequence, 0)
            self._landed.set()
            refused = [refusal.sequence for refusal in answer.refused]
            if refused:
                lost = await self._outbox.acknowledge(refused)
                counters.add("dropped", lost, reason="refused_by_server")
            if answer.stored:
                rows = await self._outbox.acknowledge(list(answer.stored))
                counters.add("acknowledged", rows)

    async def _parcels(self, call: Any, welcome: Any) -> None:
        window = max(min(self._config.window_batches, welcome.window_batches), 1)
        parcel = messages()["Frame"]
        while True:
            self._landed.clear()
            room, room_bytes = window - len(self._flying), welcome.window_bytes - self._flying_bytes
            if room <= 0 or (room_bytes <= 0 and self._flying):
                await self._landed.wait()
                continue
            records = await self._outbox.next(min(room, _READ_AT_ONCE), max(room_bytes, 1))
            if not records:
                await self._outbox.filled.wait()
                continue
            for record in records:
                if len(record.content) > welcome.max_batch_bytes:
                    lost = await self._outbox.acknowledge([record.sequence])
                    self._context.counters.add("dropped", lost, reason="too_large_for_server")
                    continue
                await self._send(call, parcel, record)

    async def _send(self, call: Any, frame: Any, record: Record) -> None:
        self._flying[record.sequence] = len(record.content)
        self._flying_bytes += len(record.content)
        message = frame(parcel={"sequence": record.sequence, "batch": record.content})
        async with self._writing:
            await call.write(message.SerializeToString())
        self._context.counters.add("transmitted", len(record.content), unit="bytes")

    async def _reports(self, call: Any) -> None:
        while True:
            batches, _, size = self._outbox.waiting
            report = messages()["Report"](now_ns=self._context.clock.time_ns(), spool_batches=batches, spool_bytes=size)
            for sample in list(self._all_counters())[:_MOST_COUNTERS]:
                report.counters.add(
                    component=sample.component, stage=sample.stage, reason=sample.reason, unit=sample.unit,
                    value=sample.value,
                )  # fmt: skip
            async with self._writing:
                await call.write(messages()["Frame"](report=report).SerializeToString())
            await self._context.clock.sleep(self._config.report_s)

    def _ended(self, error: Any) -> _Ended:
        return self._ended_with(error.code(), error.details() or "")

    def _ended_with(self, code: Any, details: str) -> _Ended:
        from metaflow_link.grpcio import grpc

        status = grpc.StatusCode
        server = self._config.server
        if code in (
            status.UNAUTHENTICATED,
            status.PERMISSION_DENIED,
            status.FAILED_PRECONDITION,
            status.INVALID_ARGUMENT,
        ):
            return _Ended(f"the server {server} refuses this agent: {details}", is_refusal=True)
        if code is status.UNIMPLEMENTED:
            return _Ended(f"{server} speaks gRPC but is no MetaFlow server ({details})", is_refusal=True)
        if "ertificate" in details or "CERTIFICATE" in details or "SSL" in details or "handshak" in details:
            return _Ended(
                f"no TLS connection to {server}: {details}; is the server's certificate signed by what tls_ca names, for the "
                "name in the address (or tls_name), and does the server speak TLS?"
            )
        return _Ended(f"the server {server} is away: {details or code.name.lower()}")


def _word(text: str) -> str:
    return "".join(each if each.isalnum() else "_" for each in text[:40]) or "unnamed"
