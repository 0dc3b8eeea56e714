"""What stands in a capture: tables, requests, flows, messages, and why each flow was taken for what it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_core.api.components import RecordBatch
from metaflow_core.api.counters import CounterSample
from metaflow_core.api.factories import EngineFactory
from metaflow_core.api.identity import Kind
from metaflow_core.config import LoadedConfig
from metaflow_core.errors import QueryError
from metaflow_core.hooks.host import PluginHost
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.sdk.replay import Progress, Replay
from metaflow_core.sdk.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Capture"]

_REQUESTS, _FLOWS, _MESSAGES, _EXPLAIN = (
    "flow_log.l7_flow_log",
    "flow_log.l4_flow_log",
    "flow_log.l7_message",
    "flow_log.explain",
)


@dataclass
class Capture:
    """Captures that were opened by :func:`read_pcap`. They are read when something is first asked for, once, and kept;
    :meth:`batches` reads without keeping, for captures larger than memory.

    :ivar paths: the files.
    """

    paths: tuple[str, ...]
    catalog: Catalog
    _host: PluginHost = field(repr=False)
    _load: Callable[[bool, Collection[str] | None], LoadedConfig] = field(repr=False)
    _progress: Progress | None = field(default=None, repr=False)
    _total_bytes: int | None = field(default=None, repr=False)
    _engine: str | None = field(default=None, repr=False)
    _kept: dict[str, list[pa.RecordBatch]] | None = field(default=None, repr=False)
    _counters: list[CounterSample] = field(default_factory=list, repr=False)
    _notes: list[str] = field(default_factory=list, repr=False)

    def _replay(self, *, explain: bool = False, tables: Collection[str] | None = None) -> Replay:
        config = self._load(explain, tables)
        return Replay(config, self._host, self.catalog, progress=self._progress, total_bytes=self._total_bytes)

    def _read(self) -> dict[str, list[pa.RecordBatch]]:
        if self._kept is None:
            kept: dict[str, list[pa.RecordBatch]] = {}
            replay = self._replay()
            for batch in replay.batches():
                kept.setdefault(batch.table, []).append(batch.data)
            self._kept, self._counters, self._notes = kept, replay.counters, replay.notes
        return self._kept

    @property
    def tables(self) -> Mapping[str, int]:
        """Tables that have rows, with how many."""
        return {name: sum(batch.num_rows for batch in batches) for name, batches in sorted(self._read().items())}

    @property
    def notes(self) -> Sequence[str]:
        """What a reader should know: parsers that were left out, and why."""
        if not self._counters:
            self._read()
        return tuple(self._notes)

    def table(self, name: str) -> Rows:
        """The rows of a table.

        :param name: of the catalogue, e.g. ``l7_flow_log`` or ``network.1s``.
        :raises QueryError: there is no such table; the sentence names the nearest.
        """
        full, table = self._resolve(name)
        return Rows(full, lambda: iter(self._read().get(full, ())), self.catalog, table)

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table, for people, batch by batch while the files are read; nothing is kept.

        :raises QueryError: there is no such table.
        """
        return self.stream(table).batches()

    def stream(self, table: str) -> Rows:
        """As :meth:`table`, but each use reads the files anew and keeps nothing: for captures larger than memory."""
        full, known = self._resolve(table)

        def source() -> Iterator[pa.RecordBatch]:
            if self._kept is not None:
                yield from self._kept.get(full, ())
                return
            replay = self._replay(tables=(full,))
            for batch in replay.batches():
                if batch.table == full:
                    yield batch.data
            self._counters, self._notes = replay.counters, replay.notes

        return Rows(full, source, self.catalog, known)

    def stream_all(self, tables: Collection[str] | None = None) -> Iterator[RecordBatch]:
        """Every batch of every table, as it is stored, while the files are read; nothing is kept.

        :param tables: full names of the tables that are wanted: engines that know how to leave others out do so.
        """
        if self._kept is not None:
            for name, batches in self._kept.items():
                yield from (RecordBatch(name, batch) for batch in batches)
            return
        replay = self._replay(tables=tables)
        yield from replay.batches()
        self._counters, self._notes = replay.counters, replay.notes

    def _resolve(self, name: str) -> tuple[str, Table | None]:
        try:
            table = self.catalog.table(name)
        except QueryError as error:
            # a plugin's own table need not be in the catalogue
            for known in self._read() if self._kept is not None else ():
                if name in (known, known.partition(".")[2]):
                    return known, None
            if not self.offered:
                raise
            sentence = str(error)
            goes_on = " A" if sentence.endswith("?") else "; a"
            raise QueryError(f"{sentence}{goes_on} capture gives {_listed(self.offered)}") from None
        return table.name, table

    def expect(self, name: str) -> None:
        """For a person who asks for one table and would take an empty answer for "there was nothing".

        :raises QueryError: there is no such table, or a capture has never rows of it; the sentence names those it gives.
        """
        full, _ = self._resolve(name)
        if self.offered and full not in self.offered:
            raise QueryError(f"a capture has no rows of {full}; it gives {_listed(self.offered)}")

    @property
    def offered(self) -> tuple[str, ...]:
        """The tables that a capture can have rows of; empty where the engine does not say so."""
        wanted = (self._engine or "").partition("/")[0]
        offered: dict[str, None] = {}
        for name, factory in self._host.registry.factories(Kind.ENGINE).items():
            if isinstance(factory, EngineFactory) and wanted in ("", name):
                offered.update(dict.fromkeys(factory.tables))
        return tuple(offered)

    def requests(self) -> Rows:
        """Exchanges: a request with its response, or what of it was seen."""
        return self.table(_REQUESTS)

    def flows(self) -> Rows:
        """Connections, with what was measured of them."""
        return self.table(_FLOWS)

    def messages(self) -> Rows:
        """Every parsed message."""
        return self.table(_MESSAGES)

    def explain(self, flow_id: int) -> list[Mapping[str, Any]]:
        """Which parsers looked at a flow, what each said and at which byte. Reads the files once more.

        :raises QueryError: no such flow.
        """
        found: list[Mapping[str, Any]] = []
        replay = self._replay(explain=True)
        replay.at_end = lambda engine: found.extend(engine.explain(flow_id))
        rows: list[pa.RecordBatch] = [batch.data for batch in replay.batches() if batch.table == _EXPLAIN]
        if found:
            return found
        table = self.catalog.table(_EXPLAIN)
        stored = Rows(_EXPLAIN, lambda: iter(rows), self.catalog, table).where(f"flow_id = {flow_id}")
        found.extend(stored)
        if not found:
            raise QueryError(
                f"nothing is known of flow {flow_id}: no flow has this id, or it carried nothing that a parser could look at; "
                "flow ids stand in the column flow_id of l4_flow_log and l7_flow_log"
            )
        return found

    def counters(self) -> Sequence[CounterSample]:
        """What was read, parsed and dropped, by stage and reason."""
        if not self._counters:
            self._read()
        return tuple(self._counters)

    def write(self, table: str, path: str | Path, format: str | None = None) -> int:
        """Write a table to a file while the captures are read; returns the number of rows.

        :param format: ``parquet``, ``arrow``, ``csv`` or ``jsonl``; default by the file's suffix.
        :raises InputError: the format is unknown or the file cannot be written.
        """
        return self.stream(table).write(path, format)


def _listed(tables: Sequence[str]) -> str:
    """Tables as a person asks for them: without database, precisions of one table together."""
    families: dict[str, list[str]] = {}
    for table in tables:
        family, _, precision = table.partition(".")[2].partition(".")
        families.setdefault(family, []).extend([precision] if precision else [])
    return ", ".join(
        " or .".join([f"{name}.{steps[0]}", *steps[1:]]) if steps else name for name, steps in families.items()
    )
