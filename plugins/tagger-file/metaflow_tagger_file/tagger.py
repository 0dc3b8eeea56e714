"""The tagger: files in, tagged batches out, and the files watched."""

from __future__ import annotations

import asyncio
from pathlib import Path

from metaflow_core.api import BuildContext
from metaflow_core.errors import ConfigError, StartError, StorageError
from metaflow_core.tagging import FollowingTagger
from metaflow_tagger_file.checking import check_files
from metaflow_tagger_file.config import FileTaggerConfig

__all__ = ["FileTagger"]


class FileTagger(FollowingTagger):
    """Fills the tags of addresses from files.

    The numbers that it gives to names are the app's (``BuildContext.ids``); without a data directory they hold as long as the
    process lives.
    """

    def __init__(self, context: BuildContext, config: FileTaggerConfig) -> None:
        super().__init__(context, config.reload_s, unknown_is_internet=config.unknown_is_internet)
        self._config = config
        self._seen: tuple[object, ...] = ()

    async def start(self) -> None:
        """Reads the files, and begins to watch them.

        :raises StartError: they have mistakes (all of them are told, with file and line), or the ids cannot be read.
        """
        try:
            await asyncio.to_thread(self._first)
        except (ConfigError, StorageError) as error:
            raise StartError(str(error)) from error
        self.follow()

    def _first(self) -> None:
        self.context.ids.open()
        self._seen = self._signature()
        self.load()

    def load(self) -> int:
        """Reads the files; from then on they are in force.

        :returns: number of entries. :raises ConfigError: there are mistakes; what was in force stays. :raises StorageError: the ids
            could not be kept; what was in force stays.
        """
        entries, problems = check_files(self._config.files)
        if problems:
            raise ConfigError(problems)
        try:
            self.learn(entries)
        except OverflowError as error:
            raise ConfigError(str(error)) from error
        return len(entries)

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
            self.context.counters.add("reload", reason="refused", unit="files")
            self.context.report("degraded", f"the last good version stays in force: {error}")
            return False
        self.context.counters.add("reload", unit="files")
        self.context.report("running", f"read again: {count} entries")
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
