"""A trace: rows as nodes of trees, with what each took itself, the critical path, and the services on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from metaflow_tracing.assembly.causes import Causes
from metaflow_tracing.assembly.clocks import Clock
from metaflow_tracing.assembly.evidence import Break, Edge
from metaflow_tracing.assembly.hops import Hop
from metaflow_tracing.spans import Span

__all__ = ["Node", "Trace", "build"]


@dataclass(slots=True)
class Node:
    """One row in its place.

    :ivar hop: number of the message that the row tells of; rows of one hop follow each other.
    :ivar parent: index of the node above, None for a root. :ivar edge: why it stands there. :ivar missing: why nothing stands above.
    :ivar self_us: what no child took. :ivar is_critical: the trace would have been shorter, had this been shorter.
    """

    index: int
    span: Span
    hop: int
    parent: int | None = None
    edge: Edge | None = None
    missing: Break | None = None
    children: list[int] = field(default_factory=list)
    self_us: int = 0
    is_critical: bool = False
    depth: int = 0


@dataclass(slots=True)
class Trace:
    """A whole trace.

    :ivar nodes: depth first, siblings by their start; :ivar roots: indexes of those without a parent, the earliest first.
    :ivar clocks: what was found out about the clocks. :ivar notes: sentences about what was cut or left out.
    """

    nodes: list[Node]
    roots: list[int]
    clocks: list[Clock]
    notes: list[str] = field(default_factory=list)

    @property
    def start_us(self) -> int:
        """When the first began."""
        return min((node.span.start_us for node in self.nodes), default=0)

    @property
    def end_us(self) -> int:
        """When the last ended."""
        return max((node.span.end_us for node in self.nodes), default=0)

    @property
    def trace_ids(self) -> list[str]:
        """Every trace id that a row names."""
        return list(dict.fromkeys(each for node in self.nodes for each in node.span.trace_ids))


def build(hops: Sequence[Hop], causes: Causes, clocks: Sequence[Clock]) -> Trace:
    """Rows below rows. Works without recursion: traces may be as deep as they are long."""
    under: dict[int, list[Hop]] = {}
    tops: list[Hop] = []
    for hop in hops:
        link = causes.links.get(hop.index)
        if link is None:
            tops.append(hop)
        else:
            under.setdefault(link.parent.index, []).append(hop)
    trace = Trace([], [], list(clocks))
    stack: list[tuple[Hop, int | None]] = [(hop, None) for hop in sorted(tops, key=_when, reverse=True)]
    while stack:
        hop, parent = stack.pop()
        link = causes.links.get(hop.index)
        for at, span in enumerate(hop.rows):
            node = Node(len(trace.nodes), span, hop.index, parent)
            if at:
                node.edge = hop.edges[at - 1]
            elif link is not None:
                node.edge = link.edge
            else:
                node.missing = causes.breaks.get(hop.index)
                trace.roots.append(node.index)
            if parent is not None:
                trace.nodes[parent].children.append(node.index)
                node.depth = trace.nodes[parent].depth + 1
            trace.nodes.append(node)
            parent = node.index
        below = under.get(hop.index, ())
        stack.extend((each, parent) for each in sorted(below, key=_when, reverse=True))
    _measure(trace)
    _mark_critical(trace)
    return trace


def _when(hop: Hop) -> tuple[int, int, int]:
    return hop.first.start_us, -hop.first.duration_us, hop.index


def _measure(trace: Trace) -> None:
    """What each took itself: its time without the union of its children's."""
    for node in trace.nodes:
        start, end = node.span.start_us, node.span.end_us
        covered, reach = 0, start
        for child in sorted((trace.nodes[each].span for each in node.children), key=lambda span: span.start_us):
            begin, stop = max(child.start_us, reach), min(child.end_us, end)
            if stop > begin:
                covered += stop - begin
                reach = stop
        node.self_us = max(0, end - start - covered)


def _mark_critical(trace: Trace) -> None:
    """From each root's end backwards: the child that ended last before the moment one stands at, and so on inside it."""
    for root in trace.roots:
        stack = [(root, trace.nodes[root].span.end_us)]
        while stack:
            at, cursor = stack.pop()
            node = trace.nodes[at]
            node.is_critical = True
            for child in sorted(node.children, key=lambda each: trace.nodes[each].span.end_us, reverse=True):
                span = trace.nodes[child].span
                if span.start_us >= cursor or span.end_us <= node.span.start_us:
                    continue
                if span.end_us <= cursor or (span.start_us < cursor <= span.end_us and cursor == node.span.end_us):
                    stack.append((child, min(span.end_us, cursor)))
                    cursor = span.start_us
