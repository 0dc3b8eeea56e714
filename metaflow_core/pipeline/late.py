"""Tags that come after their rows: what was stored a short while ago without them is tagged again when a tagger knows more."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflow_core.api.clock import Clock
from metaflow_core.api.components import LateTagsKeeper, Learning, RecordBatch
from metaflow_core.errors import MetaFlowError
from metaflow_core.pipeline.unit import Unit, sentence

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LateTags"]

_LOOK_BACK_S = 600.0
"""How long after it was stored a row may still get tags."""
_SHARE = 0.05
"""Part of the time that this may take at most."""
_NOTES = 10_000
_SPREAD_S = 60
_TIMES = ("time", "end_time_ns", "end_time", "timestamp", "time_ns", "start_time_ns", "start_time")


@dataclass(slots=True)
class _Stored:
    table: str
    at: float
    first_s: int
    last_s: int


class LateTags:
    """Belongs to one storage of a pipeline. Rows are remembered by table and time alone, so it costs next to nothing while nothing is learnt.

    :param taggers: those of the pipeline, in order. :param every_s: seconds between two looks. :param tell: tells the storage the names that it does not have yet.
    """

    def __init__(
        self,
        storage: Unit,
        taggers: Sequence[Unit],
        clock: Clock,
        every_s: float,
        tell: Callable[[Any], Awaitable[None]],
    ) -> None:
        self._storage = storage
        self._taggers = tuple(taggers)
        self._clock = clock
        self._every_s = every_s
        self._tell = tell
        self._stored: deque[_Stored] = deque(maxlen=_NOTES)
        self._known: tuple[tuple[int, int], ...] = ()
        self._rounds = 0
        self._logger = logging.getLogger(f"metaflow.storage.{storage.config.id}")

    def note(self, batch: RecordBatch) -> None:
        """A batch is stored."""
        if not self._taggers or not isinstance(self._storage.component, LateTagsKeeper):
            return
        span = _open_span(batch.data)
        if span is None:
            return
        now = self._clock.monotonic()
        last = next((each for each in reversed(self._stored) if each.table == batch.table), None)
        if last is not None and now - last.at < 1 and _near(last, span):
            last.first_s, last.last_s = min(last.first_s, span[0]), max(last.last_s, span[1])
            return
        self._stored.append(_Stored(batch.table, now, *span))

    async def run(self) -> None:
        """Looks every now and then whether taggers know more, until it is cancelled."""
        rest = self._every_s
        while True:
            await self._clock.sleep(rest)
            begun = self._clock.monotonic()
            try:
                await self.round()
            except MetaFlowError as error:
                # It is asked again as soon as something else is learnt; the rows themselves are safe.
                self._storage.counters.add("retries", reason="late_tags", unit="rounds")
                self._logger.warning("Late tags were not put on stored rows: %s", sentence(error))
            except Exception:
                self._logger.exception("Late tags were not put on stored rows.")
            rest = max(self._every_s, (self._clock.monotonic() - begun) / _SHARE)

    async def round(self) -> int:
        """One look; returns how many ends of rows got tags."""
        now = self._clock.monotonic()
        while self._stored and now - self._stored[0].at > _LOOK_BACK_S:
            self._stored.popleft()
        known = tuple(
            (id(unit.component), getattr(unit.component, "reaching", unit.component.version))
            for unit in self._taggers
            if isinstance(unit.component, Learning)
        )
        if known != self._known:
            # Once more in the next round: rows that were tagged before this moment may be on their way to the storage yet.
            self._known, self._rounds = known, 2
        if not self._rounds or not self._stored or not self._storage.is_usable:
            return 0
        self._rounds -= 1
        storage = self._storage.component
        spans: dict[str, tuple[int, int]] = {}
        for each in self._stored:
            first, last = spans.get(each.table, (each.first_s, each.last_s))
            spans[each.table] = min(first, each.first_s), max(last, each.last_s)
        async with self._storage.write_slots, self._storage.write_lock:
            await self._tell(storage)
        total = 0
        for table, (first, last) in spans.items():
            # Beside what is written: the storage knows by itself what it cannot do at the same time.
            total += await storage.retag(table, first, last + 1, self._tags)
        if total:
            self._storage.counters.add("retagged", total)
        return total

    async def _tags(self, batch: RecordBatch) -> RecordBatch:
        for unit in self._taggers:
            if unit.is_usable and unit.worker is not None and isinstance(unit.component, Learning):
                tag: Callable[[RecordBatch], RecordBatch] = unit.component.tag  # type: ignore[attr-defined]
                batch = await unit.worker.run(tag, batch)
        async with self._storage.write_lock:
            # A number that was given just now has its name before a row has it.
            await self._tell(self._storage.component)
        return batch


def _near(last: _Stored, span: tuple[int, int]) -> bool:
    return span[0] >= last.first_s - _SPREAD_S and span[1] <= last.last_s + _SPREAD_S


def _open_span(data: pa.RecordBatch) -> tuple[int, int] | None:
    """First and last second of the rows; None where every end has an owner, or none is an address."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # A wide table has 150 columns: only those that are looked at are taken out.
    at = {name: index for index, name in enumerate(data.schema.names)}
    if not any(name.startswith(("ip4", "ip6")) for name in at):
        return None
    owners = [index for name, index in at.items() if name.startswith(("auto_instance_id", "auto_service_id"))]
    if owners and not any(pc.any(pc.equal(data.column(index), 0)).as_py() for index in owners):
        return None
    for name in _TIMES:
        index = at.get(name)
        if index is None:
            continue
        array = data.column(index)
        if len(array) == array.null_count:
            continue
        if pa.types.is_timestamp(array.type):
            seconds = array.cast(pa.timestamp("s", array.type.tz), safe=False).cast(pa.int64())
        else:
            unit = 1 if name == "time" else 1_000_000_000 if name.endswith("_ns") else 1_000_000
            seconds = pc.divide(array.cast(pa.int64()), unit)
        ends = pc.min_max(seconds)
        return int(ends["min"].as_py()), int(ends["max"].as_py()) + 1
    return None
