"""The component: a storage that only takes (``storages``), or an exporter beside others (``exporters``)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_core.api import BuildContext, CounterSample, RecordBatch, Resource
from metaflow_core.errors import StartError, StorageError, UnsupportedQuery
from metaflow_link.agent.answering import Answering
from metaflow_link.agent.config import SenderConfig
from metaflow_link.agent.dial import Dialer
from metaflow_link.agent.outbox import Outbox
from metaflow_link.agent.reporter import Reporter
from metaflow_link.agent.sender import Sender
from metaflow_link.identity import hostname, kept_id, product_version, system
from metaflow_link.spool.spool import Fsync, Spool
from metaflow_link.wire.knowledge import MADE_OF_NAMES, NAMES, names_batch
from metaflow_link.wire.messages import PROTOCOL, messages

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.query import Plan

__all__ = ["Forwarder"]


class Forwarder:
    """Keeps batches in a spool and sends them to a server. A batch is safe when it is spooled."""

    def __init__(self, context: BuildContext, config: SenderConfig) -> None:
        self._context = context
        self._config = config
        self._outbox: Outbox | None = None
        self._sender: Sender | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble = False
        self.agent_id = ""

    @property
    def _folder(self) -> Path | None:
        if self._config.spool is not None:
            return self._config.spool.expanduser()
        return None if self._context.data_dir is None else self._context.data_dir / "spool"

    def resources(self) -> Iterable[Resource]:
        """The spool's folder."""
        folder = self._folder
        return () if folder is None else (Resource("directory", str(folder.absolute())),)

    async def start(self) -> None:
        """Take the spool and begin to send. The server need not be there.

        :raises StartError: the spool cannot be used, or a certificate cannot be read.
        """
        if self._outbox is not None:
            return
        folder = self._folder
        if folder is None:
            raise StartError("a spool needs a folder: set service.data_dir, or the option spool")
        config = self._config
        dialer = Dialer(config)
        self.agent_id = await asyncio.to_thread(kept_id, self._context.data_dir or folder, "agent-id")
        spool = Spool(
            folder,
            max_bytes=config.spool_bytes,
            segment_bytes=config.segment_bytes,
            when_full=config.when_full,
            fsync=config.fsync,
            lost=self._lost,
        )
        outbox = Outbox(spool, config.packing, config.max_batch_bytes)
        try:
            await outbox.open()
        except BaseException:
            await outbox.close()
            raise
        self._outbox = outbox
        run_id, started_ns = uuid.uuid4().hex, self._context.clock.time_ns()

        def hello() -> Any:
            return messages()["Hello"](
                protocol=PROTOCOL,
                agent_id=self.agent_id,
                hostname=hostname(),
                version=product_version(),
                system=system(),
                capabilities=self._capabilities(),
                started_ns=started_ns,
                now_ns=self._context.clock.time_ns(),
                run_id=run_id,
            )

        reporter = Reporter(self._context, self.write)
        answering = Answering(self._context, run_id) if config.answers else None
        self._sender = Sender(self._context, config, outbox, dialer, hello, self._stats, reporter.again, answering)
        self._tasks = [
            asyncio.create_task(self._sender.run(), name="metaflow-sender"),
            asyncio.create_task(reporter.run(), name="metaflow-reporter"),
        ]
        if config.fsync is Fsync.INTERVAL:
            self._tasks.append(asyncio.create_task(self._sync(outbox), name="metaflow-spool-sync"))

    def _lost(self, reason: str, amount: int, unit: str) -> None:
        self._context.counters.add("dropped", amount, reason=reason, unit=unit)
        if not self._trouble and reason != "spool_torn":
            self._trouble = True
            self._context.logger.warning(
                "The spool lost %d %s (%s); further ones are only counted.", amount, unit, reason.replace("_", " ")
            )

    def _app(self) -> Any:
        return self._context.services.get("app")

    def _stats(self) -> Iterable[CounterSample]:
        app = self._app()
        return app.stats() if app is not None else self._context.counters.samples()

    def _capabilities(self) -> list[str]:
        """Collectors, engines and parsers that run here, as far as the app tells."""
        app = self._app()
        if app is None:
            return []
        wanted = ("collector", "engine", "parser")
        found = {f"{each['kind']}.{each['id']}" for each in app.status() if each["kind"] in wanted}
        return sorted(found)[:256]

    async def _sync(self, outbox: Outbox) -> None:
        while True:
            await self._context.clock.sleep(self._config.fsync_s)
            with contextlib.suppress(OSError):
                await outbox.sync()

    async def write(self, batch: RecordBatch) -> None:
        """Spool a batch; when this returns it is safe here.

        :raises StorageError: it is not; the caller keeps it.
        """
        if self._outbox is None:
            raise StorageError("the spool is not open; the batch was not kept, keep it")
        if not batch.batch_id:
            # the spool sends it again after a broken connection, so it needs a name
            batch = RecordBatch(batch.table, batch.data, uuid.uuid4().hex)
        size = await self._outbox.put(batch)
        self._context.counters.add("spooled", size, unit="bytes")

    async def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None) -> None:
        """Spool names of numbers, so that the server has them before the rows that need them; see ``NamesKeeper``.

        Numbers of this machine's own book are left out: the server tags with what taggers report, by numbers of its own.

        :raises StorageError: they are not kept.
        """
        wanted = {number: text for number, text in names.items() if number >= MADE_OF_NAMES}
        if wanted:
            batch_id = uuid.uuid4().hex
            await self.write(RecordBatch(NAMES, names_batch(dictionary, wanted, valid_from_s), batch_id))

    async def export(self, batch: RecordBatch) -> None:
        """As :meth:`write`."""
        await self.write(batch)

    async def execute(self, plan: Plan) -> pa.Table:
        """Refuse: rows are at the server.

        :raises UnsupportedQuery: always.
        """
        raise UnsupportedQuery(
            f"this agent keeps no rows; ask the server it sends to ({self._config.server.rpartition(':')[0]})"
        )

    async def health(self) -> Mapping[str, Any]:
        """Whether the server is there, and what waits."""
        if self._outbox is None or self._sender is None:
            return {"state": "stopped", "server": self._config.server}
        batches, rows, size = self._outbox.waiting
        return {
            "state": "ok" if self._sender.is_connected else "degraded",
            "server": self._config.server,
            "agent_id": self.agent_id,
            "connected": self._sender.is_connected,
            "spool_batches": batches,
            "spool_rows": rows,
            "spool_bytes": size,
        }

    async def stop(self) -> None:
        """Send what can be sent in a short time, then give everything back; the rest stays in the spool. Idempotent."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None and self._sender is not None and self._sender.is_connected and self._config.flush_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(outbox.emptied.wait(), self._config.flush_s)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sender = None
        if outbox is not None:
            await outbox.close()
