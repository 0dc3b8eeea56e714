"""One message, seen at several places: rows become hops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from metaflow_tracing.assembly.evidence import Edge

if TYPE_CHECKING:
    from metaflow_core.api import LinkRule
    from metaflow_tracing.spans import Span

__all__ = ["Hop", "hops_of"]

# how many sightings with one key are compared with each: a message is seen at a dozen places, not at hundreds
_NEIGHBOURS = 16


class Hop:
    """A message with its answer, at every place where it was seen, in the order of its way; or one span of an application.

    :ivar rows: outermost (the client's) first. :ivar edges: evidence between each row and the one before, so one fewer.
    """

    __slots__ = ("edges", "index", "rows")

    def __init__(self, index: int, rows: list[Span], edges: list[Edge]) -> None:
        self.index = index
        self.rows = rows
        self.edges = edges

    @property
    def first(self) -> Span:
        """Nearest to the client."""
        return self.rows[0]

    @property
    def last(self) -> Span:
        """Nearest to the server."""
        return self.rows[-1]

    @property
    def is_span(self) -> bool:
        """A span of an application."""
        return self.rows[0].is_span


class _Groups:
    """Union-find in which a group holds each place once."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._parent = list(range(len(spans)))
        self._places = [{span.place} for span in spans]

    def find(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> bool:
        one, other = self.find(one), self.find(other)
        if one == other:
            return True
        if self._places[one] & self._places[other]:
            return False
        if len(self._places[one]) < len(self._places[other]):
            one, other = other, one
        self._places[one] |= self._places[other]
        self._places[other] = set()
        self._parent[other] = one
        return True


def hops_of(spans: Sequence[Span], rules: Mapping[str, LinkRule]) -> list[Hop]:
    """Group rows by the rules of ``same``, the strongest first.

    Sightings that come nearest in time are joined first, so that a sequence number or port that was used again meets its own.
    """
    groups = _Groups(spans)
    proven: dict[int, Edge] = {}
    pairs: dict[tuple[int, int], Edge] = {}
    for name, rule in rules.items():
        for one, other in _pairs(spans, rule, groups):
            if groups.find(one) == groups.find(other):
                continue
            verdict = rule.judge(spans[one], spans[other], 0)
            if verdict.accepts and groups.join(one, other):
                edge = Edge(name, rule.relation.value, verdict.confidence, verdict.reason, verdict.matched)
                pairs[one, other] = pairs[other, one] = edge
                proven.setdefault(other, edge)
                proven.setdefault(one, edge)
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(spans)):
        members[groups.find(index)].append(index)
    hops: list[Hop] = []
    for found in members.values():
        found.sort(
            key=lambda index: (
                spans[index].rank,
                -spans[index].duration_us,
                spans[index].agent_id,
                spans[index].start_us,
            )
        )
        rows = [spans[index] for index in found]
        edges = [
            pairs.get((one, other)) or _between(spans[one], spans[other], rules, proven.get(other))
            for one, other in pairwise(found)
        ]
        hops.append(Hop(len(hops), rows, edges))
    return hops


def _pairs(spans: Sequence[Span], rule: LinkRule, groups: _Groups) -> list[tuple[int, int]]:
    """Pairs that share a key and are not known to be of one message, the nearest in time first."""
    buckets: dict[Hashable, list[int]] = defaultdict(list)
    for index, span in enumerate(spans):
        for key in rule.offers(span):
            buckets[key].append(index)
    found: list[tuple[int, int, int]] = []
    # rows that share one key mostly share the next one too
    seen: set[tuple[int, ...]] = set()
    for bucket in buckets.values():
        if len(bucket) < 2:
            continue
        same = tuple(bucket)
        if same in seen:
            continue
        seen.add(same)
        first = groups.find(bucket[0])
        if all(groups.find(index) == first for index in bucket):
            continue
        bucket.sort(key=lambda index: spans[index].start_us)
        for at, one in enumerate(bucket):
            near = bucket[at + 1 : at + 1 + _NEIGHBOURS]
            found.extend((spans[other].start_us - spans[one].start_us, one, other) for other in near)
    found.sort()
    return [(one, other) for _, one, other in found]


def _between(one: Span, other: Span, rules: Mapping[str, LinkRule], known: Edge | None) -> Edge:
    """The evidence between neighbours: of the pair itself where a rule speaks of it, else of whatever brought the second in."""
    for name, rule in rules.items():
        if set(rule.offers(one)) & set(rule.seeks(other)):
            verdict = rule.judge(one, other, 0)
            if verdict.accepts:
                return Edge(name, rule.relation.value, verdict.confidence, verdict.reason, verdict.matched)
    assert known is not None
    return known
