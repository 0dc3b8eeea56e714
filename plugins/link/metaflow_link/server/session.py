"""One agent's connection."""

from __future__ import annotations

import asyncio
from typing import Any

from metaflow_core.api import BuildContext
from metaflow_link.identity import is_agent_id, product_version
from metaflow_link.server.agents import Agent, Agents
from metaflow_link.server.config import ReceiverConfig
from metaflow_link.server.intake import Intake, NeverStored
from metaflow_link.server.reading import read
from metaflow_link.server.trust import Aborted, authorise
from metaflow_link.wire.knowledge import KNOWLEDGE
from metaflow_link.wire.messages import PROTOCOL, messages

__all__ = ["Session"]


class Session:
    """From hello to the end. The call is read no faster than batches are stored.

    :param call: gRPC's context of the call.
    """

    def __init__(
        self, context: BuildContext, config: ReceiverConfig, agents: Agents, intake: Intake, server_id: str, call: Any
    ) -> None:
        self._context = context
        self._config = config
        self._agents = agents
        self._intake = intake
        self._server_id = server_id
        self._call = call
        self._window = asyncio.Semaphore(config.window_batches)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stored: list[int] = []
        self._refused: list[Any] = []
        self._answerable = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the call.

        :raises Aborted: with the status that the agent is told.
        """
        authorise(self._config, self._context.counters, self._call)
        hello = await self._hello()
        agent = self._agents.registered(hello, self._call.peer(), self._context.clock.time_ns())
        self._context.logger.info("Agent %s (%s, MetaFlow %s) is here.", agent.id, agent.hostname, agent.version)
        self._tell()
        await self._remember(agent)
        tasks = [asyncio.create_task(self._read(agent)), asyncio.create_task(self._answer())]
        try:
            await self._call.write(self._welcome())
            done, _ = await asyncio.wait({*tasks, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for task in (*tasks, *self._tasks):
                task.cancel()
            await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)
            self._failed.cancel()
            self._agents.left(agent, self._context.clock.time_ns())
            self._tell()

    async def _remember(self, agent: Agent) -> None:
        """Before a row carries its number, the number is kept."""
        self._intake.name(agent.number, agent.hostname, agent.id)
        if self._agents.has_new_number:
            try:
                await asyncio.to_thread(self._agents.save)
            except OSError as error:
                self._context.logger.warning("The list of agents was not written: %s.", error)

    def _tell(self) -> None:
        count = self._agents.connected
        self._context.report("running", f"{count} agent{'' if count == 1 else 's'} connected")

    async def _hello(self) -> Any:
        try:
            async with asyncio.timeout(self._config.hello_s):
                frame = await self._frame()
        except TimeoutError:
            raise Aborted("INVALID_ARGUMENT", f"no hello within {self._config.hello_s:g} s") from None
        if frame is None or not frame.HasField("hello"):
            raise Aborted("INVALID_ARGUMENT", "a connection begins with hello")
        hello = frame.hello
        if hello.protocol != PROTOCOL:
            self._context.counters.add("refused", reason="protocol", unit="connections")
            older = "the agent first" if hello.protocol < PROTOCOL else "the server first"
            raise Aborted(
                "FAILED_PRECONDITION",
                f"agent {hello.hostname[:64]} (MetaFlow {hello.version[:32]}) speaks protocol {hello.protocol}, this server (MetaFlow "
                f"{product_version()}) {PROTOCOL}; bring both to one version, {older}",
            )
        if not is_agent_id(hello.agent_id):
            raise Aborted("INVALID_ARGUMENT", "an agent's id has 1 to 64 letters, digits, dots, dashes and underscores")
        if self._agents.connected >= self._config.max_agents:
            self._context.counters.add("refused", reason="too_many_agents", unit="connections")
            raise Aborted(
                "RESOURCE_EXHAUSTED", f"{self._config.max_agents} agents are connected already (option max_agents)"
            )
        return hello

    async def _frame(self) -> Any:
        return await read(self._call, "Frame", self._context.counters)

    def _welcome(self) -> bytes:
        answer = messages()["Answer"]()
        answer.welcome.protocol = PROTOCOL
        answer.welcome.server_id = self._server_id
        answer.welcome.version = product_version()
        answer.welcome.window_batches = self._config.window_batches
        answer.welcome.window_bytes = self._config.window_bytes
        answer.welcome.max_batch_bytes = self._config.max_batch_bytes
        return bytes(answer.SerializeToString())

    async def _read(self, agent: Agent) -> None:
        """Until the agent has no more and everything was answered."""
        while (frame := await self._frame()) is not None:
            if frame.HasField("report"):
                self._agents.reported(agent, frame.report, self._context.clock.time_ns())
            elif frame.HasField("parcel"):
                await self._window.acquire()
                message = self._message(frame.parcel)
                work = self._store(agent, frame.parcel, message)
                if getattr(message, "table", "") in KNOWLEDGE:
                    # rows that come behind it are tagged by it
                    await work
                    continue
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        while self._tasks or self._stored or self._refused:
            await asyncio.sleep(0.01)

    def _message(self, parcel: Any) -> Any:
        """The batch in a parcel, or why there is none."""
        try:
            return self._intake.read(parcel.batch)
        except NeverStored as never:
            return never

    async def _store(self, agent: Agent, parcel: Any, message: Any) -> None:
        try:
            if isinstance(message, NeverStored):
                raise message
            if message.table in KNOWLEDGE:
                await self._intake.learn(agent.id, message)
                rows = 0
            else:
                rows = await self._intake.take(agent.id, message, len(parcel.batch), agent.number)
        except NeverStored as never:
            self._context.counters.add("refused", reason=never.reason, unit="batches")
            self._agents.refused(agent)
            self._refused.append(
                messages()["Refusal"](sequence=parcel.sequence, reason=never.reason, sentence=str(never))
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the agent keeps the batch
            self._context.logger.warning("A batch of agent %s was not stored: %s.", agent.id, error)
            if not self._failed.done():
                self._failed.set_exception(Aborted("UNAVAILABLE", f"batches are not stored now: {error}"))
        else:
            self._agents.took(agent, rows, len(parcel.batch), self._context.clock.time_ns())
            self._stored.append(parcel.sequence)
        finally:
            self._window.release()
        self._answerable.set()

    async def _answer(self) -> None:
        """Tell what was stored, many at once when it goes fast."""
        while True:
            await self._answerable.wait()
            self._answerable.clear()
            stored, self._stored = self._stored, []
            refused, self._refused = self._refused, []
            if stored or refused:
                answer = messages()["Answer"](stored=stored, refused=refused)
                await self._call.write(answer.SerializeToString())
