"""Calls of a process that an application's spans tell of: from the message that came in down to the span that was at work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaflow_core.api import Match
from metaflow_tracing.assembly.evidence import Edge, Link

if TYPE_CHECKING:
    from metaflow_tracing.assembly.causes import Causes
    from metaflow_tracing.assembly.clocks import Clocks
    from metaflow_tracing.assembly.hops import Hop

__all__ = ["nest"]


def nest(hops: Sequence[Hop], found: Causes, clocks: Clocks) -> None:
    """Move a call that is linked to an incoming message below the one span of that message's handling which covers it.

    Only where a single span at each level covers it: of two that ran at the same time neither is preferred.
    """
    spans: dict[int, list[Hop]] = defaultdict(list)
    for at, link in found.links.items():
        if hops[at].is_span and hops[at].first.point != "c-app":
            spans[link.parent.index].append(hops[at])
    for at, link in list(found.links.items()):
        if hops[at].is_span or not spans.get(link.parent.index):
            continue
        parent = _deepest(hops[at], link.parent, spans, clocks)
        if parent is not link.parent:
            edge = link.edge
            matched = (*edge.matched, Match("span_id", "time", str(parent.first["span_id"])))
            reason = f"{edge.reason}; of the spans of that handling only this one was at work"
            found.links[at] = Link(parent, Edge(edge.kind, edge.relation, min(edge.confidence, 0.9), reason, matched))


def _deepest(hop: Hop, parent: Hop, spans: dict[int, list[Hop]], clocks: Clocks) -> Hop:
    seen = {parent.index}
    while True:
        row = hop.first
        covering = []
        for each in spans.get(parent.index, ()):
            slack = clocks.slack_us(each.first, row)
            if each.first.start_us - slack <= row.start_us and row.end_us <= each.first.end_us + slack:
                covering.append(each)
        if len(covering) != 1 or covering[0].index in seen:
            return parent
        parent = covering[0]
        seen.add(parent.index)
