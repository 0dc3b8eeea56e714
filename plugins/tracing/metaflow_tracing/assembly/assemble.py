"""The whole of it: rows and rules in, a trace out."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from metaflow_core.api import Relation
from metaflow_tracing.assembly.causes import causes_of
from metaflow_tracing.assembly.clocks import estimate, refine
from metaflow_tracing.assembly.hops import Hop, hops_of
from metaflow_tracing.assembly.nesting import nest
from metaflow_tracing.assembly.trace import Trace, build

if TYPE_CHECKING:
    from metaflow_core.api import LinkRule
    from metaflow_tracing.spans import Span

__all__ = ["assemble", "assemble_all"]


def _of(rules: Mapping[str, LinkRule], relation: Relation) -> dict[str, LinkRule]:
    return {name: rule for name, rule in rules.items() if rule.relation is relation}


def _distinct(spans: Iterable[Span]) -> tuple[list[Span], int]:
    """Rows once each: a row that was stored twice, or read by two plans, is one."""
    kept: dict[tuple[object, ...], Span] = {}
    total = 0
    for span in spans:
        total += 1
        kept.setdefault((span.row_id, span.place, span.seen_end_us, span["span_id"], span["type"]), span)
    ordered = sorted(
        kept.values(), key=lambda span: (span.seen_start_us, span.rank, -span.duration_us, span.row_id, span.place)
    )
    return ordered, total - len(kept)


class _Assembly:
    """One run: hops, clocks, causes."""

    def __init__(self, spans: Iterable[Span], rules: Mapping[str, LinkRule]) -> None:
        rows, self.duplicates = _distinct(spans)
        self.hops = hops_of(rows, _of(rules, Relation.SAME))
        self.clocks = estimate(self.hops)
        causes, siblings = _of(rules, Relation.CAUSE), _of(rules, Relation.SIBLING)
        self.causes = causes_of(self.hops, causes, siblings, self.clocks)
        if any(hop.is_span for hop in self.hops):
            self._with_spans(rows, causes, siblings)

    def _with_spans(self, rows: list[Span], causes: Mapping[str, LinkRule], siblings: Mapping[str, LinkRule]) -> None:
        """Spans have clocks of their own, known only once their messages are; what depends on time is then judged anew."""
        pairs = [
            (link.parent.last, self.hops[at].first)
            for at, link in self.causes.links.items()
            if link.edge.kind == "span_id" and (link.parent.is_span or self.hops[at].is_span)
        ]
        before = {id(row): row.start_us for row in rows if row.is_span}
        refine(self.clocks, pairs, rows)
        if any(row.is_span and before[id(row)] != row.start_us for row in rows):
            self.causes = causes_of(self.hops, causes, siblings, self.clocks)
        nest(self.hops, self.causes, self.clocks)

    def components(self) -> list[list[Hop]]:
        """Hops that hang together, by the number of the hop at the top of each."""
        top = list(range(len(self.hops)))
        for at in range(len(self.hops)):
            way = []
            here = at
            while top[here] == here and here in self.causes.links:
                way.append(here)
                here = self.causes.links[here].parent.index
            end = top[here]
            for each in way:
                top[each] = end
        found: dict[int, list[Hop]] = {}
        for hop in self.hops:
            found.setdefault(top[hop.index], []).append(hop)
        return list(found.values())

    def trace(self, hops: Sequence[Hop]) -> Trace:
        """The trace of some of the hops."""
        names = {row.clock for hop in hops for row in hop.rows}
        trace = build(
            hops, self.causes, [self.clocks.found[name] for name in sorted(names) if name in self.clocks.found]
        )
        if self.duplicates:
            trace.notes.append(f"{self.duplicates} rows were there twice and count once")
        for clock in trace.clocks:
            if not clock.is_steady:
                trace.notes.append(
                    f"the clock of {clock.name} jumped against that of {clock.against}: its times are set right by the nearest "
                    "exchange that both saw"
                )
        return trace


def assemble(spans: Iterable[Span], rules: Mapping[str, LinkRule], *, wanted: Collection[str] = ()) -> Trace:
    """One trace from rows that may hold others too.

    :param rules: by name, the strongest first.
    :param wanted: trace ids and row ids that it is about; trees with none of them are left out. Empty for all.
    """
    with _uncollected():
        run = _Assembly(spans, rules)
        chosen = set(wanted)
        hops: list[Hop] = []
        for each in run.components():
            if not chosen or any(
                row.row_id in chosen or chosen.intersection(row.trace_ids) for hop in each for row in hop.rows
            ):
                hops += each
        return run.trace(hops)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing that is made here is garbage before the end, and looking for some time and again takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def assemble_all(spans: Iterable[Span], rules: Mapping[str, LinkRule]) -> list[Trace]:
    """Every trace that stands in the rows, the earliest first: trees that share a trace id are one trace."""
    with _uncollected():
        return _all(spans, rules)


def _all(spans: Iterable[Span], rules: Mapping[str, LinkRule]) -> list[Trace]:
    run = _Assembly(spans, rules)
    owner: dict[str, int] = {}
    groups: dict[int, list[Hop]] = {}
    alias: dict[int, int] = {}

    def root(number: int) -> int:
        while number in alias:
            number = alias[number]
        return number

    for number, component in enumerate(run.components()):
        groups[number] = list(component)
        for name in {name for hop in component for row in hop.rows for name in row.trace_ids}:
            other = root(owner.setdefault(name, number))
            mine = root(number)
            if other != mine:
                groups[other] += groups.pop(mine)
                alias[mine] = other
    traces = [run.trace(sorted(group, key=lambda hop: hop.index)) for group in groups.values()]
    return sorted(traces, key=lambda trace: trace.start_us)
