"""The tagger: looks at the request log that passes, and names the addresses in every row that comes after."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from metaflow_core.api import BuildContext, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.tagging import AddressTagger
from metaflow_tagger_seen.book import NameBook
from metaflow_tagger_seen.config import SeenTaggerConfig
from metaflow_tagger_seen.sightings import Sighting, dns_sightings, host_sightings

__all__ = ["SeenTagger"]

_LOG = "flow_log.l7_flow_log"
_FEW = 1000
_YOUNG_NS = 60_000_000_000
"""Live, a name is learnt from the row that tells it before later rows are tagged, of whatever table: they wait together, for seconds."""
_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class SeenTagger(AddressTagger):
    """Fills the tags of addresses with names that were seen. Names hold from when they were seen, so rows of the past keep none.

    What it knows depends on the rows alone (and on this machine's name), so the same capture gives the same tags.
    """

    def __init__(self, context: BuildContext, config: SeenTaggerConfig) -> None:
        super().__init__(context, is_hearsay=True, young_ns=_YOUNG_NS)
        self._config = config
        self._book = NameBook(int(config.hold_s * 1e9), config.max_names)
        self._taken_ns = -(1 << 62)

    async def start(self) -> None:
        """Opens the book of numbers; finds this machine's name.

        :raises StorageError: the numbers cannot be read.
        """
        await super().start()
        if self._config.own_host:
            for sighting in await asyncio.to_thread(lambda: list(_own(self.context.clock.time_ns()))):
                self._book.see(sighting)
            self._take(0)

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """The batch with names of its addresses, after what it says itself of names was taken in."""
        if batch.table == _LOG and batch.data.num_rows:
            self._look(batch.data)
        return super().tag(batch)

    def _look(self, data: pa.RecordBatch) -> None:
        columns = dict(zip(data.schema.names, data.columns, strict=True))
        at_ns = _moments(columns)
        if at_ns is None:
            return
        dns = self._dns()
        found: list[Sighting] = []
        if self._config.dns and dns is not None:
            found += dns_sightings(columns, at_ns, dns)
        if self._config.hosts:
            found += host_sightings(columns, at_ns, dns)
        new = sum(self._book.see(each) for each in sorted(found, key=lambda each: each.at_ns))
        if new:
            self.context.counters.add("seen", new, unit="names")
        self._take(int(at_ns.max()))

    def _take(self, now_ns: int) -> None:
        """Puts new names in force: at once while there are few, else not more often than the option says."""
        changed = self._book.changed
        if not changed or (len(self._book) > _FEW and now_ns < self._taken_ns + self._config.refresh_s * 1e9):
            return
        self._taken_ns = now_ns
        try:
            self.learn(self._book.entries())
        except (OverflowError, StorageError) as error:
            self.context.counters.add("refused", changed, reason="numbers", unit="names")
            self.context.report("degraded", f"new names are not taken in: {error}")

    def _dns(self) -> int | None:
        value = self.context.catalog.enum("l7_protocol").value("DNS")
        return value if isinstance(value, int) else None


def _moments(columns: dict[str, pa.Array]) -> np.ndarray | None:
    """When each row began, in nanoseconds since 1970."""
    for name in ("start_time", "start_time_us", "end_time", "time"):
        array = columns.get(name)
        if array is None:
            continue
        scale = _NS[array.type.unit] if pa.types.is_timestamp(array.type) else 1_000
        values = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return np.asarray(values * scale, np.int64)
    return None


def _own(now_ns: int) -> Iterator[Sighting]:
    """This machine's addresses, as far as the routing tells them without a packet being sent."""
    name = socket.gethostname().lower()
    if not name or name == "localhost":
        return
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            yield Sighting(str(probe.getsockname()[0]), 0, name, now_ns)
