"""Traces out of a storage: what the service, the commands and the APIs ask."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflow_core.errors import QueryError
from metaflow_core.query import TimeRange, parse_where
from metaflow_tracing.assembly.assemble import assemble, assemble_all
from metaflow_tracing.gather.gather import Found, Gatherer, Store
from metaflow_tracing.gather.plans import TABLE

if TYPE_CHECKING:
    from metaflow_core.api import LinkRule
    from metaflow_core.model.catalog import Catalog
    from metaflow_tracing.assembly.trace import Trace
    from metaflow_tracing.gather.limits import Limits

__all__ = ["Answer", "Tracer", "hex_of_row", "row_of_hex", "time_range"]

_ROW = re.compile(r"(\d{1,20})\.(\d{1,17})\.(\d{1,20})\Z")
# rows that a search begins with for each trace that is wanted: one trace has many of them
_ROWS_PER_TRACE = 20
_HEX_ROW = re.compile(r"f0([0-9a-f]{16})([0-9a-f]{14})\Z")


@dataclass(frozen=True, slots=True)
class Answer:
    """A trace and how many plans it took."""

    trace: Trace
    plans: int


def hex_of_row(row_id: str) -> str:
    """A row's id in the shape of a trace id (32 hexadecimal digits), for tools that know no other; see :func:`row_of_hex`."""
    flow, start, _ = row_id.split(".")
    return f"f0{int(flow):016x}{int(start):014x}"


def row_of_hex(text: str) -> str:
    """The row's id; empty when the text is none."""
    found = _HEX_ROW.match(text.lower())
    return f"{int(found[1], 16)}.{int(found[2], 16)}.0" if found else ""


class Tracer:
    """Finds and assembles.

    :param catalog: for conditions in words. :param rules: by name, the strongest first.
    """

    def __init__(self, catalog: Catalog, rules: Mapping[str, LinkRule], limits: Limits) -> None:
        self._catalog = catalog
        self._rules = rules
        self._gatherer = Gatherer(rules, limits)

    async def trace(self, store: Store, name: str, time: TimeRange | None = None) -> Answer | None:
        """One trace by a trace id or a row's id (``FLOW.START_US.NUMBER``); None when no row has it.

        :raises QueryError: the storage cannot answer.
        """
        found = (
            await self._by_row(store, name) if _ROW.match(name) else await self._gatherer.by_trace(store, name, time)
        )
        if not found.spans and row_of_hex(name):
            found = await self._by_row(store, row_of_hex(name))
        if not found.spans:
            return None
        trace = await asyncio.to_thread(assemble, found.spans, self._rules, wanted=found.wanted)
        return Answer(_noted(trace, found), found.plans)

    async def _by_row(self, store: Store, name: str) -> Found:
        flow, start, number = (int(part) for part in name.split("."))
        if flow >= 2**64 or start >= 2**53:
            raise QueryError(f"{name!r} is no row's id: FLOW.START_US.NUMBER, as 'row_id' of a trace shows it")
        return await self._gatherer.by_row(store, flow, start, number)

    async def traces(self, store: Store, where: str, time: TimeRange, most: int) -> list[Answer]:
        """The traces of rows for which a condition is true, the latest first.

        :param where: as ``mflow read --where`` takes it; empty for all. :param most: how many traces.
        :raises QuerySyntaxError: the condition is wrong. :raises QueryError: the storage cannot answer.
        """
        predicate = parse_where(where or "flow_id >= 0", self._catalog.table(TABLE), self._catalog)
        chosen: list[Trace] = []
        shown: set[str] = set()
        plans = 0
        found_in_parts = self._gatherer.by_filter(store, predicate, time, most * _ROWS_PER_TRACE)
        async with aclosing(found_in_parts) as parts:
            async for found in parts:
                plans += found.plans
                for trace in await asyncio.to_thread(assemble_all, found.spans, self._rules):
                    rows = {node.span.row_id for node in trace.nodes}
                    # a long trace can be met again in the stretch of time before
                    if rows & found.wanted and not rows & shown:
                        shown |= rows
                        chosen.append(_noted(trace, found))
                if len(chosen) >= most:
                    break
        chosen.sort(key=lambda each: -each.start_us)
        return [Answer(each, plans) for each in chosen[:most]]


def _noted(trace: Trace, found: Found) -> Trace:
    trace.notes[:0] = found.notes
    return trace


def time_range(start_s: Any, end_s: Any) -> TimeRange | None:
    """A range from two moments in seconds; None when neither is given.

    :raises QueryError: one is no number, or the end is before the start.
    """
    if start_s in (None, "") and end_s in (None, ""):
        return None
    try:
        start, end = float(start_s or 0), float(end_s) if end_s not in (None, "") else 2.0**33
    except (TypeError, ValueError):
        raise QueryError(f"start and end are seconds since 1970; found {start_s!r} and {end_s!r}") from None
    if not 0 <= start <= 2**34 or not 0 <= end <= 2**34 or end < start:
        raise QueryError(
            f"the range of time from {start_s} to {end_s} ends before it begins, or lies outside of what can be stored"
        )
    return TimeRange(int(start * 1e9), int(end * 1e9))
