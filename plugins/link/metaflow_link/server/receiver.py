"""The component: listens for agents and emits what they send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_core.api import Answer, BuildContext, Emit, Peer, Resource, host_and_port
from metaflow_core.errors import StartError
from metaflow_link.identity import kept_id
from metaflow_link.port import PORT
from metaflow_link.server.agents import Agents
from metaflow_link.server.config import ReceiverConfig
from metaflow_link.server.intake import Intake
from metaflow_link.server.questions import Questions
from metaflow_link.server.reported import Reported
from metaflow_link.server.session import Session
from metaflow_link.server.trust import Aborted
from metaflow_link.wire.messages import METHOD, QUESTIONS

__all__ = ["Receiver"]

_SAVE_EVERY_S = 10.0
_SLACK = 1 << 20


class Receiver:
    """Takes batches of any number of agents. An agent hears that a batch is stored when the pipeline says so.

    :ivar reported: what the taggers of agents know.
    """

    def __init__(self, context: BuildContext, config: ReceiverConfig) -> None:
        self._context = context
        self._config = config
        folder = context.data_dir
        self._agents = Agents(None if folder is None else folder / "agents.json", config.remembered_agents)
        dictionaries = {tag.dictionary for table in context.catalog.tables.values() for tag in table.tags}
        self.reported = Reported(folder, context.counters, dictionaries)
        self._questions = Questions(context, config)
        self._server: Any = None
        self._intake: Intake | None = None
        self._served = False
        self._server_id = ""
        self._port = host_and_port(config.listen, PORT)[1]

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    def resources(self) -> Iterable[Resource]:
        """The port."""
        host, port = host_and_port(self._config.listen, PORT)
        return (Resource("tcp", f"{f'[{host}]' if ':' in host else host}:{port}"),) if port else ()

    def integrations(self) -> Iterable[tuple[str, str]]:
        """How an agent on this machine reaches it."""
        host = host_and_port(self._config.listen, PORT)[0]
        where = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        return [("agents", f"mflow agent --server {where}")]

    def agents(self) -> Iterable[Mapping[str, Any]]:
        """Every agent that was seen."""
        return self._agents.rows()

    def peers(self) -> Sequence[Peer]:
        """Every agent that was seen, as one to ask; see :class:`metaflow_core.api.Asker`."""
        return [
            Peer(
                agent.id,
                agent.hostname or agent.id,
                agent.number,
                self._questions.can_ask(agent.id),
                agent.last_seen_ns,
            )
            for agent in self._agents.all()
        ]

    async def ask(self, peer: str, kind: str, asked: Mapping[str, Any], *, max_bytes: int, timeout_s: float) -> Answer:
        """Ask an agent; see :class:`metaflow_core.api.Asker`."""
        name = next((each.name for each in self.peers() if each.id == peer), peer)
        return await self._questions.ask(peer, name, kind, asked, max_bytes=max_bytes, timeout_s=timeout_s)

    async def start(self) -> None:
        """Bind the port.

        :raises StartError: it is taken, or a certificate cannot be read.
        """
        from metaflow_link.grpcio import grpc

        if self._server is not None:
            return
        self._served = False
        folder = self._context.data_dir
        if folder is not None:
            self._server_id = await asyncio.to_thread(kept_id, folder, "server-id")
        if said := self._agents.load():
            self._context.logger.warning("%s.", said)
        await asyncio.to_thread(self.reported.open)
        credentials = self._credentials()
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._config.max_batch_bytes + _SLACK),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
                ("grpc.http2.max_ping_strikes", 0),
            ]
        )
        server.add_generic_rpc_handlers((self._handlers(),))
        listen = self._config.listen
        try:
            port = server.add_secure_port(listen, credentials) if credentials else server.add_insecure_port(listen)
        except RuntimeError:
            port = 0
        if not port:
            raise StartError(
                f"cannot listen on {listen} for agents: the port is taken, or the address is not this machine's"
            )
        self._server, self._port = server, port

    def _credentials(self) -> Any:
        from metaflow_link.grpcio import grpc

        config = self._config
        if config.tls_cert is None or config.tls_key is None:
            return None
        pair = (_content(config.tls_key, "tls_key"), _content(config.tls_cert, "tls_cert"))
        authority = None if config.tls_client_ca is None else _content(config.tls_client_ca, "tls_client_ca")
        return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)

    def _handlers(self) -> Any:
        from metaflow_link.grpcio import grpc

        methods = {METHOD: self._serve, QUESTIONS: self._ask}

        class Handlers(grpc.GenericRpcHandler):
            """The methods, with bytes on both sides."""

            def service(self, details: Any) -> Any:
                method = methods.get(details.method)
                return None if method is None else grpc.stream_stream_rpc_method_handler(method)

        return Handlers()

    async def _serve(self, requests: Any, call: Any) -> None:
        from metaflow_link.grpcio import grpc

        intake = self._intake
        if intake is None:
            await call.abort(grpc.StatusCode.UNAVAILABLE, "the server is starting or stopping")
        assert intake is not None
        session = Session(self._context, self._config, self._agents, intake, self._server_id, call)
        await _until_aborted(session.run(), call)

    async def _ask(self, requests: Any, call: Any) -> None:
        await _until_aborted(self._questions.serve(call), call)

    async def run(self, emit: Emit) -> None:
        """Serve until cancelled."""
        assert self._server is not None, "run() comes after start()"
        intake = Intake(
            self._context,
            emit,
            self.reported,
            max_bytes=self._config.max_pending_bytes,
            max_batch_bytes=self._config.max_batch_bytes,
        )
        self._intake = intake
        self._served = True
        await self._server.start()
        self._context.report("running", "no agent connected yet")
        try:
            while True:
                await asyncio.sleep(_SAVE_EVERY_S)
                await self._save()
        finally:
            self._intake = None
            await self._server.stop(None)
            await intake.stop()

    async def _save(self) -> None:
        try:
            await asyncio.to_thread(self._agents.save)
        except OSError as error:
            self._context.logger.warning("The list of agents was not written: %s.", error)

    async def stop(self) -> None:
        """Give the port back. Idempotent."""
        self._intake = None
        server, self._server = self._server, None
        if server is not None:
            if not self._served:
                # what never ran does not give its port back
                await server.start()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(server.stop(None), 5)
            await self._save()


async def _until_aborted(served: Coroutine[Any, Any, None], call: Any) -> None:
    from metaflow_link.grpcio import grpc

    try:
        await served
    except Aborted as aborted:
        await call.abort(getattr(grpc.StatusCode, aborted.code), str(aborted))


def _content(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"the file {path} (option {option}) cannot be read: {error.strerror}") from None
