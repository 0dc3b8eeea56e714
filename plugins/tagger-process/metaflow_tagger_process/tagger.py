"""The tagger: looks at this machine's processes, and says whose rows are whose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import QueryError, UnavailableError
from metaflow_tagger_process.config import ProcessTaggerConfig
from metaflow_tagger_process.endpoints import Learned
from metaflow_tagger_process.filling import fill
from metaflow_tagger_process.numbers import Numbers
from metaflow_tagger_process.sampler import Sampler

__all__ = ["ProcessTagger"]


class ProcessTagger:
    """Fills processes on rows that this machine saw. It must run where the rows are made: process numbers mean nothing elsewhere."""

    def __init__(self, context: BuildContext, config: ProcessTaggerConfig) -> None:
        self._context = context
        self._config = config
        self._sampler: Sampler | None = None
        self._numbers: Numbers | None = None
        self._learned = Learned(config.max_sockets)

    async def start(self) -> None:
        """Look for the first time. :raises UnavailableError: there is no /proc."""
        if not Path("/proc/self/stat").exists():
            raise UnavailableError(
                "processes are read from /proc, which this system does not have; leave the tagger process out"
            )
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        sampler = Sampler(self._config, self._context.counters)
        boot = Path("/proc/sys/kernel/random/boot_id")
        host = boot.read_text().strip() if boot.exists() else ""
        self._numbers = Numbers(host, self._config.max_named, sampler.tree)
        sampler.start()
        self._sampler = sampler

    async def stop(self) -> None:
        """Stop looking. Idempotent."""
        sampler, self._sampler = self._sampler, None
        if sampler:
            await asyncio.to_thread(sampler.stop)

    def look(self) -> None:
        """Look now, out of turn."""
        if self._sampler:
            self._sampler.look()

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The batch with processes filled in; what stands in a column stays."""
        sampler, numbers = self._sampler, self._numbers
        if sampler is None or numbers is None or not batch.data.num_rows:
            return batch
        try:
            table = self._context.catalog.table(batch.table)
        except QueryError:
            return batch
        sampler.rows_come()
        data, tagged = fill(
            batch.data,
            table,
            sampler.lives,
            sampler.endpoints if self._config.sockets else None,
            self._learned,
            numbers,
            self._context.clock.time_ns(),
            auto_service=self._config.auto_service,
        )
        if tagged:
            self._context.counters.add("tagged", tagged, unit="ends")
        if numbers.shared:
            self._context.counters.set("shared_number", numbers.shared, reason="too_many_named", unit="ends")
        return RecordBatch(batch.table, data, batch.batch_id)

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """Names of the numbers given after a position."""
        return self._numbers.names(after) if self._numbers else (after, ())

    def dictionaries(self) -> Mapping[str, Mapping[int, str]]:
        """Every name, by dictionary."""
        return {item.dictionary: item.names for item in self.names(0)[1]}
