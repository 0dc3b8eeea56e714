"""Rows of a trace: those that are asked for, then those that share a key with them, in a few rounds of one plan each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from metaflow_core.errors import QueryError
from metaflow_core.model.expression import Expr
from metaflow_core.query import Plan, TimeRange
from metaflow_tracing.gather.closure import closure, linking_columns
from metaflow_tracing.gather.limits import Limits
from metaflow_tracing.gather.plans import any_of, both, linking, rows, same_id, spellings, window
from metaflow_tracing.spans import Columns, Span, spans_of

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api import LinkRule

__all__ = ["Found", "Gatherer", "Store"]

# values in one list of a plan; more would make a statement that no storage likes
_MOST_VALUES = 20_000
# rows whose linking columns are looked through at once: more would take longer than asking for values
_MOST_NARROW = 200_000
# how long before and after what is known everything is looked through, and how often that may grow
_REACH_S = 2.0
_WIDENINGS = 3
_HOUR_NS = 3_600 * 1_000_000_000


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
        self._rules = rules
        self._limits = limits or Limits()
        self._keyed = [rule for rule in rules.values() if rule.lookups]

    async def by_trace(self, store: Store, trace_id: str, time: TimeRange | None = None) -> Found:
        """The rows that name a trace, and what belongs to them.

        :raises QueryError: the storage cannot answer.
        """
        names = spellings(trace_id)
        if not names:
            raise QueryError(f"{trace_id!r} is no trace id; ids stand in the column trace_id of l7_flow_log")
        found = Found(wanted=set(names))
        plans = [rows(same_id(column, names), time, self._limits.max_rows) for column in ("trace_id", "_trace_id_2")]
        await self._seed(store, plans, found)
        return await self._grow(store, found)

    async def by_row(self, store: Store, flow_id: int, start_us: int, number: int = 0) -> Found:
        """One row (see :attr:`metaflow_tracing.spans.Span.row_id`), and what belongs to it.

        :raises QueryError: the storage cannot answer.
        """
        found = Found()
        start_ns = start_us * 1000
        time = TimeRange(max(0, start_ns - start_ns % 1_000_000_000), start_ns + _HOUR_NS)
        asked = both(same_id("flow_id", [flow_id]), same_id("start_time", [start_us]))
        await self._seed(store, [rows(asked, time, self._limits.max_rows)], found)
        exact = [span for span in found.spans if span.row_id.endswith(f".{number}")]
        if number and exact:
            found.spans = exact
        found.wanted |= {span.row_id for span in found.spans}
        names = {name for span in found.spans for name in span.trace_ids}
        if names:
            # the rest of a named trace by its name; the row says when, so no other time is looked through
            around = window(found.spans[0].start_us, found.spans[0].end_us, self._limits.margin_s)
            plans = [
                rows(same_id(column, sorted(names)), around, self._limits.max_rows)
                for column in ("trace_id", "_trace_id_2")
            ]
            await self._seed(store, plans, found)
        return await self._grow(store, found)

    async def by_filter(self, store: Store, predicate: Expr, time: TimeRange, most: int) -> Found:
        """Rows for which a predicate is true, at most so many, and what belongs to them.

        :raises QueryError: the storage cannot answer.
        """
        found = Found()
        await self._seed(store, [rows(predicate, time, most)], found, most)
        found.wanted |= {span.row_id for span in found.spans}
        return await self._grow(store, found)

    async def _seed(self, store: Store, plans: Sequence[Plan], found: Found, most: int | None = None) -> None:
        tables = await asyncio.gather(*(store.execute(plan) for plan in plans))
        found.plans += len(plans)
        known = {_identity(span) for span in found.spans}
        for table in tables:
            for span in spans_of(table):
                if _identity(span) not in known:
                    known.add(_identity(span))
                    found.spans.append(span)
        limit = most or self._limits.max_rows
        if len(found.spans) > limit:
            del found.spans[limit:]
            found.notes.append(f"only {limit} rows were taken; there are more (narrow the time, or raise max_rows)")

    async def _grow(self, store: Store, found: Found) -> Found:
        """Add what is related: first all that hangs together around the known rows' time, then what is found by value further away (hosts
        whose clocks are apart), and around that again, until nothing is new or a bound is reached."""
        used: dict[str, set[Any]] = defaultdict(set)
        keys = _Keys(self._keyed)
        fresh = found.spans
        for _ in range(self._limits.max_rounds):
            if not fresh or not self._keyed:
                return found
            keys.add(fresh)
            fresh = [*fresh, *await self._around(store, found, fresh, keys)]
            asked = self._asked(fresh, used)
            if not asked or len(found.spans) >= self._limits.max_rows:
                break
            time = window(
                min(span.seen_start_us for span in found.spans),
                max(span.seen_end_us for span in found.spans),
                self._limits.margin_s,
            )
            table = await store.execute(rows(any_of(asked), time, self._limits.max_rows))
            found.plans += 1
            fresh = self._take(found, spans_of(table), keys)
        if len(found.spans) >= self._limits.max_rows:
            found.notes.append(f"the trace was cut at {self._limits.max_rows} rows; there are more (raise max_rows)")
        elif fresh and asked:
            found.notes.append(
                f"after {self._limits.max_rounds} rounds of related rows there may be more (raise max_rounds)"
            )
        return found

    async def _around(self, store: Store, found: Found, fresh: Sequence[Span], keys: _Keys) -> list[Span]:
        """What hangs together with some rows and happened near them. The window grows with what is found, a few times."""
        lookups = list(dict.fromkeys(lookup for rule in self._keyed for lookup in rule.lookups))
        names = linking_columns(lookups)
        seeds = [{name: span[name] for name in names} for span in fresh]
        start, end = min(span.seen_start_us for span in fresh), max(span.seen_end_us for span in fresh)
        for _ in range(_WIDENINGS):
            time = window(start, end, _REACH_S)
            narrow = await store.execute(linking(names, time, _MOST_NARROW))
            found.plans += 1
            if narrow.num_rows > _MOST_NARROW:
                # too much happens at once: the values must be asked for
                return []
            room = self._limits.max_rows - len(found.spans)
            mask, is_whole = await asyncio.to_thread(closure, narrow, lookups, seeds, room + len(fresh))
            related = narrow.filter(_mask(mask))
            if not related.num_rows:
                return []
            moments = Columns(related)
            first, last = min(moments["start_time"]), max(moments["end_time"])
            if not is_whole or (first >= start and last <= end + _REACH_S * 500_000):
                break
            start, end = min(start, first), max(end, last)
        asked = both(
            same_id("flow_id", dict.fromkeys(moments["flow_id"])),
            same_id("start_time", dict.fromkeys(moments["start_time"])),
        )
        table = await store.execute(
            rows(asked, window(min(start, first), max(end, last), _REACH_S), self._limits.max_rows * 2)
        )
        found.plans += 1
        return self._take(found, spans_of(table), keys, is_related=True)

    def _take(self, found: Found, spans: Iterable[Span], keys: _Keys, *, is_related: bool = False) -> list[Span]:
        """Those that are new and share a key with what is known, as far as there is room."""
        known = {_identity(span) for span in found.spans}
        fresh = [span for span in spans if _identity(span) not in known and (is_related or keys.touch(span))]
        del fresh[max(0, self._limits.max_rows - len(found.spans)) :]
        found.spans = [*found.spans, *fresh]
        keys.add(fresh)
        return fresh

    def _asked(self, fresh: Iterable[Span], used: dict[str, set[Any]]) -> list[Expr]:
        """Predicates for values that were not asked for yet."""
        values: dict[str, dict[Any, None]] = defaultdict(dict)
        lookups = {lookup: None for rule in self._keyed for lookup in rule.lookups}
        for span in fresh:
            for lookup in lookups:
                for have in lookup.have:
                    value = span[have]
                    if value:
                        for want in lookup.want:
                            if value not in used[want]:
                                values[want][value] = None
        asked = []
        for want, listed in values.items():
            some = list(listed)[:_MOST_VALUES]
            used[want].update(some)
            asked.append(same_id(want, some))
        return asked


class _Keys:
    """Keys of the rows that are known: a column may agree by chance (sequence numbers have 32 bits), a rule's key does not."""

    def __init__(self, rules: Sequence[LinkRule]) -> None:
        self._rules = rules
        self._known: set[tuple[int, Hashable]] = set()

    def add(self, spans: Iterable[Span]) -> None:
        for span in spans:
            for number, rule in enumerate(self._rules):
                self._known.update((number, key) for key in rule.offers(span))
                self._known.update((number, key) for key in rule.seeks(span))

    def touch(self, span: Span) -> bool:
        for number, rule in enumerate(self._rules):
            for keys in (rule.offers(span), rule.seeks(span)):
                if any((number, key) in self._known for key in keys):
                    return True
        return False


def _mask(mask: Any) -> Any:
    import pyarrow as pa

    return pa.array(mask)


def _identity(span: Span) -> tuple[Any, ...]:
    return span.row_id, span.place, span.seen_end_us, span["span_id"], span["type"]
