"""Rows of a trace: those that are asked for, then those that hang together with them, by few and narrow plans; all their columns at the end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from metaflow_core.api import Lookup, Relation
from metaflow_core.errors import QueryError
from metaflow_core.model.expression import Expr
from metaflow_core.query import Plan, TimeRange
from metaflow_tracing.gather.closure import closure, linking_columns
from metaflow_tracing.gather.limits import Limits
from metaflow_tracing.gather.parts import statements, stretches
from metaflow_tracing.gather.plans import any_of, both, linking, rows, same_id, spellings, window
from metaflow_tracing.spans import Columns, Span, spans_of

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api import LinkRule

__all__ = ["Found", "Gatherer", "Store"]

# rows whose columns are read at once: they are named by two numbers each, in one statement
_MOST_READ = 3_000
# rows whose linking columns are looked through at once: more would take longer than asking for values
_MOST_NARROW = 200_000
# how long before and after what is known everything is looked through, and how often that may grow
_REACH_S = 1.0
_WIDENINGS = 3
_HOUR_NS = 3_600 * 1_000_000_000
_TRACE_IDS = ("trace_id", "_trace_id_2")


class Store(Protocol):
    """What executes plans: a storage."""

    async def execute(self, plan: Plan) -> pa.Table:
        """Answer a plan."""
        ...


@dataclass(slots=True)
class Found:
    """Rows, and what a person should know of the search.

    :ivar wanted: trace ids and row ids that the search began with. :ivar plans: how many plans were executed.
    """

    spans: list[Span] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    plans: int = 0


class Gatherer:
    """Finds rows in a storage.

    :param rules: their lookups say how rows lead to others. :param limits: how far to go.
    """

    def __init__(self, rules: Mapping[str, LinkRule], limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lookups = list(dict.fromkeys(lookup for rule in rules.values() for lookup in rule.lookups))
        # beyond the reach of one clock only what is the same at every host leads anywhere
        self._far = [
            lookup
            for lookup in self._lookups
            if not lookup.together
            and any(
                lookup in rule.lookups and (rule.relation is Relation.SAME or _is_text(lookup))
                for rule in rules.values()
            )
        ]
        self._columns = linking_columns(self._lookups)

    async def by_trace(self, store: Store, trace_id: str, time: TimeRange | None = None) -> Found:
        """The rows that name a trace, and what belongs to them.

        :raises QueryError: the storage cannot answer.
        """
        names = spellings(trace_id)
        if not names:
            raise QueryError(f"{trace_id!r} is no trace id; ids stand in the column trace_id of l7_flow_log")
        found = Found(wanted=set(names))
        search = _Search(store, found, self._limits)
        await search.seed([same_id(column, names) for column in _TRACE_IDS], self._columns, time)
        return await self._grow(search, set(names))

    async def by_row(self, store: Store, flow_id: int, start_us: int, number: int = 0) -> Found:
        """One row (see :attr:`metaflow_tracing.spans.Span.row_id`), and what belongs to it.

        :raises QueryError: the storage cannot answer.
        """
        found = Found()
        search = _Search(store, found, self._limits)
        start_ns = start_us * 1000
        time = TimeRange(max(0, start_ns - start_ns % 1_000_000_000), start_ns + _HOUR_NS)
        await search.seed([both(same_id("flow_id", [flow_id]), same_id("start_time", [start_us]))], self._columns, time)
        names = search.values(_TRACE_IDS)
        if names:
            # the rest of a named trace by its name; the row says when, so no other time is looked through
            listed = sorted(names)
            await search.seed(
                [same_id(column, listed) for column in _TRACE_IDS], self._columns, search.window(self._limits.margin_s)
            )
        await self._grow(search, names)
        mine = [span for span in found.spans if span["flow_id"] == flow_id and span.seen_start_us == start_us]
        exact = [span for span in mine if number and span.row_id.endswith(f".{number}")]
        found.wanted |= {span.row_id for span in exact or mine}
        return found

    async def by_filter(self, store: Store, predicate: Expr, time: TimeRange, most: int) -> AsyncGenerator[Found, None]:
        """Rows for which a predicate is true, at most so many and the latest of them, and what belongs to them: a stretch of time after the
        other, the latest first, so that who has enough need not wait for the rest.

        :raises QueryError: the storage cannot answer.
        """
        first = Found()
        seeds = _Search(store, first, self._limits)
        await seeds.seed([predicate], self._columns, time, most)
        covered: set[tuple[int, int]] = set()
        plans = first.plans
        for stretch in stretches(seeds.rows):
            fresh = [row for row in stretch if (row["flow_id"], row["start_time"]) not in covered]
            if not fresh:
                continue
            search = _Search(store, Found(plans=plans), self._limits)
            plans = 0
            search.begin(fresh)
            chosen = set(search.known)
            found = await self._grow(search, set())
            found.wanted |= {span.row_id for span in found.spans if (span["flow_id"], span.seen_start_us) in chosen}
            covered |= search.known.keys()
            yield found

    async def _grow(self, search: _Search, asked_for: set[str]) -> Found:
        """Add what is related: first all that hangs together around the known rows' time, then what is found by value further away (hosts
        whose clocks are apart), and around that again, until nothing is new or a bound is reached.

        :param asked_for: trace ids whose rows are all known already.
        """
        used: dict[str, set[Any]] = defaultdict(set, {name: set(asked_for) for name in _TRACE_IDS})
        fresh = search.rows
        for _ in range(self._limits.max_rounds):
            if not fresh or not self._lookups or search.is_full:
                break
            fresh = [*fresh, *await search.around(fresh, self._lookups, self._columns)]
            asked = _asked(fresh, self._far, used) if self._limits.margin_s > _REACH_S else []
            if not asked or search.is_full:
                fresh = []
                break
            fresh = await search.seed(
                [any_of(each) for each in asked], self._columns, search.window(self._limits.margin_s)
            )
        await search.read()
        found = search.found
        if search.is_full:
            found.notes.append(f"the trace was cut at {self._limits.max_rows} rows; there are more (raise max_rows)")
        elif fresh:
            found.notes.append(
                f"after {self._limits.max_rounds} rounds of related rows there may be more (raise max_rounds)"
            )
        return found


class _Search:
    """One search: the linking columns of the rows that are known so far.

    :ivar rows: by column. :ivar known: flow and start of each, with its end.
    """

    def __init__(self, store: Store, found: Found, limits: Limits) -> None:
        self._store = store
        self.found = found
        self._limits = limits
        self.rows: list[dict[str, Any]] = []
        self.known: dict[tuple[int, int], int] = {}
        self.is_full = False

    def begin(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows to begin with that were read already."""
        self.known = {(row["flow_id"], row["start_time"]): row["end_time"] for row in rows}
        self.rows = list(rows)

    def values(self, columns: Sequence[str]) -> set[Any]:
        """What stands in some columns."""
        return {row[name] for row in self.rows for name in columns if row[name]}

    def window(self, margin_s: float) -> TimeRange:
        """The time of the known rows, and a margin."""
        return window(min(row["start_time"] for row in self.rows), max(row["end_time"] for row in self.rows), margin_s)

    async def seed(
        self, predicates: Sequence[Expr], columns: Sequence[str], time: TimeRange | None, most: int | None = None
    ) -> list[dict[str, Any]]:
        """Rows for which one of some predicates is true; those that are new."""
        limit = most or self._limits.max_rows
        plans = [linking(columns, time, limit, each, is_latest=most is not None) for each in predicates]
        self.found.plans += len(plans)
        fresh: list[dict[str, Any]] = []
        for table in await asyncio.gather(*(self._store.execute(plan) for plan in plans)):
            if table.num_rows > limit:
                self.is_full = self.is_full or most is None
                table = table.slice(0, limit)
            fresh += self._add(table)
        return fresh

    def _add(self, table: pa.Table) -> list[dict[str, Any]]:
        columns = Columns(table)
        lists = {name: columns[name] for name in table.schema.names}
        fresh = []
        for at in range(table.num_rows):
            row = {name: values[at] for name, values in lists.items()}
            key = (row["flow_id"], row["start_time"])
            if key in self.known:
                continue
            if len(self.known) >= self._limits.max_rows:
                self.is_full = True
                break
            self.known[key] = row["end_time"]
            fresh.append(row)
        self.rows += fresh
        return fresh

    async def around(
        self, fresh: Sequence[dict[str, Any]], lookups: Sequence[Lookup], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """What hangs together with some rows and happened near them. The window grows with what is found, a few times."""
        start, end = min(row["start_time"] for row in fresh), max(row["end_time"] for row in fresh)
        room = self._limits.max_rows - len(self.known) + len(fresh)
        related: pa.Table | None = None
        for _ in range(_WIDENINGS):
            narrow = await self._store.execute(linking(columns, window(start, end, _REACH_S), _MOST_NARROW))
            self.found.plans += 1
            if narrow.num_rows > _MOST_NARROW:
                # too much happens at once: what is related must be asked for by value
                break
            mask, _ = await asyncio.to_thread(closure, narrow, lookups, fresh, room)
            related = narrow.filter(_mask(mask))
            if not related.num_rows:
                break
            moments = Columns(related)
            first, last = min(moments["start_time"]), max(moments["end_time"])
            if first >= start - _REACH_S * 500_000 and last <= end + _REACH_S * 500_000:
                break
            start, end = min(start, first), max(end, last)
        return [] if related is None else self._add(related)

    async def read(self) -> None:
        """All columns of the rows that are known, so many at a time that no statement is longer than storages like."""
        import pyarrow as pa

        ordered = sorted(self.known.items(), key=lambda each: each[0][1])
        found = []
        for at in range(0, len(ordered), _MOST_READ):
            part = ordered[at : at + _MOST_READ]
            asked = both(
                same_id("flow_id", dict.fromkeys(flow for (flow, _), _ in part)),
                same_id("start_time", dict.fromkeys(start for (_, start), _ in part)),
            )
            time = window(part[0][0][1], max(end for _, end in part), 0.0)
            found.append(await self._store.execute(rows(asked, time, self._limits.max_rows * 2)))
            self.found.plans += 1
        if found:
            table = pa.concat_tables(found, promote_options="permissive") if len(found) > 1 else found[0]
            spans = await asyncio.to_thread(spans_of, table)
            self.found.spans = [span for span in spans if (span["flow_id"], span.seen_start_us) in self.known]


def _asked(fresh: Sequence[dict[str, Any]], lookups: Sequence[Lookup], used: dict[str, set[Any]]) -> list[list[Expr]]:
    """Predicates for values that were not asked for yet, by statement."""
    values: dict[str, dict[Any, None]] = defaultdict(dict)
    for lookup in lookups:
        for row in fresh:
            for have in lookup.have:
                value = row[have]
                if value:
                    for want in lookup.want:
                        if value not in used[want]:
                            values[want][value] = None
    for want, listed in values.items():
        used[want].update(listed)
    return statements({want: list(listed) for want, listed in values.items()})


def _is_text(lookup: Lookup) -> bool:
    return not any(name.endswith("seq") or name.startswith("syscall") for name in lookup.have)


def _mask(mask: Any) -> Any:
    import pyarrow as pa

    return pa.array(mask)
