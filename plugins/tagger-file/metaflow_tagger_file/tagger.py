"""The tagger: files in, tagged batches out, and the files watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaflow_core.api import BuildContext, Names, RecordBatch
from metaflow_core.errors import ConfigError, QueryError, StartError, StorageError
from metaflow_core.model.catalog import Table
from metaflow_tagger_file.checking import check_files
from metaflow_tagger_file.config import FileTaggerConfig
from metaflow_tagger_file.filling import fill
from metaflow_tagger_file.knowledge import Lookup, build, dictionaries

__all__ = ["FileTagger"]


class FileTagger:
    """Fills the tags of addresses from files.

    The numbers that it gives to names are the app's (``BuildContext.ids``); without a data directory they hold as long as the
    process lives.
    """

    def __init__(self, context: BuildContext, config: FileTaggerConfig) -> None:
        self._context = context
        self._config = config
        self._book = context.ids
        self._lookup: Lookup | None = None
        self._seen: tuple[object, ...] = ()
        self._version = 0
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads the files, and begins to watch them.

        :raises StartError: they have mistakes (all of them are told, with file and line), or the ids cannot be read.
        """
        try:
            await asyncio.to_thread(self._first)
        except (ConfigError, StorageError) as error:
            raise StartError(str(error)) from error
        self._watching = asyncio.create_task(self._watch())

    def _first(self) -> None:
        self._book.open()
        self._seen = self._signature()
        self.load()

    async def stop(self) -> None:
        """Stops watching."""
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def load(self) -> int:
        """Reads the files; from then on they are in force.

        :returns: number of entries. :raises ConfigError: there are mistakes; what was in force stays. :raises StorageError: the ids
            could not be kept; what was in force stays.
        """
        entries, problems = check_files(self._config.files)
        if problems:
            raise ConfigError(problems)
        try:
            lookup = build(entries, self._book, self._context.catalog)
        except OverflowError as error:
            raise ConfigError(str(error)) from error
        # First the ids, then the rows that hold them: a row never refers to a number that could be given again.
        self._book.save()
        self._lookup = lookup
        self._version += 1
        return len(entries)

    async def _watch(self) -> None:
        while True:
            await self._context.clock.sleep(self._config.reload_s)
            await self.look()

    async def look(self) -> bool:
        """Reads the files again if one changed. Mistakes are reported, and the last good version stays in force.

        :returns: whether a new version is in force.
        """
        signature = await asyncio.to_thread(self._signature)
        if signature == self._seen:
            return False
        self._seen = signature
        try:
            count = await asyncio.to_thread(self.load)
        except (ConfigError, StorageError) as error:
            self._context.counters.add("reload", reason="refused", unit="files")
            self._context.report("degraded", f"the last good version stays in force: {error}")
            return False
        self._context.counters.add("reload", unit="files")
        self._context.report("running", f"read again: {count} entries")
        return True

    def _signature(self) -> tuple[object, ...]:
        """What tells a changed file from an unchanged one, also where it was replaced by one of the same size."""
        out: list[object] = []
        for name in self._config.files:
            try:
                found = Path(name).stat()
                out.append((found.st_mtime_ns, found.st_size, found.st_ino))
            except OSError as error:
                out.append(error.errno)
        return tuple(out)

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The batch with more columns filled; what stands in one already stays. Tables without addresses come back as they were."""
        lookup = self._lookup
        table = self._table(batch.table)
        if lookup is None or table is None or not batch.data.num_rows:
            return batch
        data = fill(
            batch.data,
            table,
            lookup,
            self._context.clock.time_ns(),
            unknown_is_internet=self._config.unknown_is_internet,
        )
        if data is None:
            return batch
        self._context.counters.add("tagged", batch.data.num_rows)
        return RecordBatch(batch.table, data, batch.batch_id)

    def _table(self, name: str) -> Table | None:
        try:
            return self._context.catalog.table(name)
        except QueryError:
            return None

    def dictionaries(self) -> Mapping[str, Mapping[int, str]]:
        """The names of all numbers that were ever given, and labels as JSON, by dictionary: for ``learn`` of a storage.

        A name that changes gets a new number, so that rows keep the name they had; only labels have no history.
        """
        return {} if self._lookup is None else dictionaries(self._book, self._lookup)

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """The names for the pipeline to hand to its storages: all of them whenever the files were read again."""
        version = self._version
        if after == version or self._lookup is None:
            return after, ()
        return version, [Names(dictionary, names) for dictionary, names in self.dictionaries().items()]
