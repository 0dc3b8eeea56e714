"""The map and the timeline as SVG, drawn with classes so that the page's style colours them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from metaflow_core.report.html.graph import Graph, Line, Node
from metaflow_core.report.html.markup import Markup, cut, element, join
from metaflow_core.report.model import Moment
from metaflow_core.report.text import duration_text

__all__ = ["draw_map", "draw_timeline"]

_LETTERS = 27
_CHART_WIDTH, _CHART_HEIGHT = 960, 110


def draw_map(graph: Graph) -> Markup:
    """Boxes and curves, with every number in the curve's title."""
    most = max((line.requests for line in graph.lines), default=1)
    shifts = _shifts(graph)
    drawn = [element("g", *(_line(graph, line, most, shifts[index]) for index, line in enumerate(graph.lines)))]
    into = Counter(line.target for line in graph.lines)
    labels = (
        _label(graph, line, shifts[index], is_alone=into[line.target] == 1)
        for index, line in enumerate(graph.lines)
        if line.source != line.target
    )
    drawn.append(element("g", *labels))
    drawn.extend(_box(node) for node in graph.nodes.values())
    arrow = element("path", d="M0 0 L8 4 L0 8 z", class_="arrow")
    marker = element(
        "marker",
        arrow,
        id="arrow",
        viewBox="0 0 8 8",
        refX="7",
        refY="4",
        markerWidth="9",
        markerHeight="9",
        markerUnits="userSpaceOnUse",
        orient="auto",
    )
    return element(
        "svg",
        element("defs", marker),
        *drawn,
        viewBox=f"0 0 {graph.width:.0f} {graph.height:.0f}",
        width=f"{graph.width:.0f}",
        role="img",
        aria_label="Service map",
        class_="map",
    )


def _shifts(graph: Graph) -> list[float]:
    """Lines that end at one box end beside each other: how far from its middle."""
    members: dict[tuple[str, bool], list[int]] = {}
    for index, line in enumerate(graph.lines):
        forward = graph.nodes[line.target].layer > graph.nodes[line.source].layer
        members.setdefault((line.target, forward), []).append(index)
    shifts = [0.0] * len(graph.lines)
    for (target, _), indexes in members.items():
        node = graph.nodes[target]
        gap = min(14.0, (node.height - 10) / max(1, len(indexes)))
        indexes.sort(key=lambda index: graph.nodes[graph.lines[index].source].y)
        for place, index in enumerate(indexes):
            shifts[index] = (place - (len(indexes) - 1) / 2) * gap
    return shifts


def _ends(graph: Graph, line: Line, shift: float) -> tuple[float, float, float, float]:
    source, target = graph.nodes[line.source], graph.nodes[line.target]
    forward = target.layer > source.layer
    x0 = source.x + (source.width if forward else 0)
    x1 = target.x + (0 if forward else target.width)
    return x0, source.y + source.height / 2, x1, target.y + target.height / 2 + shift


def _line(graph: Graph, line: Line, most: int, shift: float) -> Markup:
    x0, y0, x1, y1 = _ends(graph, line, shift)
    if line.source == line.target:
        node = graph.nodes[line.source]
        x, y = node.x + node.width - 30, node.y
        path = f"M{x:.1f} {y:.1f} c0 -20 24 -20 24 0"
    else:
        bend = max(50.0, abs(x1 - x0) / 2) * (1 if x1 >= x0 else -1)
        path = f"M{x0:.1f} {y0:.1f} C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    width = 1.2 + 3.3 * math.log1p(line.requests) / math.log1p(max(1, most))
    title = (
        f"{line.source} to {line.target}, {line.protocol}: {line.requests:,} requests, {line.errors:,} failed, "
        f"mean {duration_text(line.delay)}, slowest {duration_text(line.max_us)}"
    )
    state = "edge bad" if line.errors else "edge"
    return element(
        "path", element("title", title), d=path, class_=state, stroke_width=f"{width:.1f}", marker_end="url(#arrow)"
    )


def _label(graph: Graph, line: Line, shift: float, *, is_alone: bool) -> Markup:
    x0, y0, x1, y1 = _ends(graph, line, shift)
    failed = f", {100 * line.errors / line.requests:.2g} % failed" if line.errors and line.requests else ""
    forward = x1 >= x0
    # Above its line, except where the line comes down from above and no other label could be below.
    is_below = is_alone and y0 < y1 - 1
    return element(
        "text",
        cut(f"{line.protocol} {line.requests:,}{failed}", 28),
        x=f"{x1 - 14 if forward else x1 + 14:.1f}",
        y=f"{y1 + 13 if is_below else y1 - 4:.1f}",
        text_anchor="end" if forward else "start",
        class_="edge-label bad" if line.errors else "edge-label",
    )


def _box(node: Node) -> Markup:
    title = f"{node.label} {node.detail}: {node.requests:,} requests, {node.errors:,} failed"
    shape = element("rect", x=f"{node.x:.1f}", y=f"{node.y:.1f}", width=node.width, height=node.height, rx=7)
    middle = node.y + (19 if node.detail else 28)
    parts = [element("title", title), shape]
    parts.append(element("text", cut(node.label, _LETTERS), x=f"{node.x + 12:.1f}", y=f"{middle:.1f}", class_="name"))
    if node.detail:
        detail = element(
            "text", cut(node.detail, _LETTERS + 4), x=f"{node.x + 12:.1f}", y=f"{node.y + 36:.1f}", class_="detail"
        )
        parts.append(detail)
    return element("g", *parts, class_="node bad" if node.errors else "node")


def draw_timeline(moments: Sequence[Moment], step_ns: int, start_ns: int, end_ns: int) -> Markup:
    """A bar for each step: requests, and of these the failed ones."""
    first = min(start_ns or moments[0].time_ns, moments[0].time_ns)
    span = max(end_ns, moments[-1].time_ns + step_ns) - first
    most = max(moment.requests for moment in moments) or 1
    width = max(1.0, _CHART_WIDTH * step_ns / span - 0.6)
    bars: list[Markup] = []
    for moment in moments:
        x = _CHART_WIDTH * (moment.time_ns - first) / span
        seconds = (moment.time_ns - first) / 1e9
        title = element("title", f"after {seconds:.3g} s: {moment.requests:,} requests, {moment.errors:,} failed")
        for count, name in ((moment.requests, "bar"), (moment.errors, "bar bad")):
            if count:
                height = _CHART_HEIGHT * count / most
                bars.append(
                    element(
                        "rect", title, x=f"{x:.2f}", y=f"{_CHART_HEIGHT - height:.2f}", width=f"{width:.2f}",
                        height=f"{height:.2f}", class_=name,
                    )
                )  # fmt: skip
    foot = element("line", x1=0, x2=_CHART_WIDTH, y1=_CHART_HEIGHT, y2=_CHART_HEIGHT, class_="axis")
    svg = element(
        "svg", join(bars), foot, viewBox=f"0 0 {_CHART_WIDTH} {_CHART_HEIGHT + 1}", preserveAspectRatio="none", class_="chart",
        role="img", aria_label="Requests and failures over time",
    )  # fmt: skip
    step = duration_text(step_ns / 1000)
    note = f"One bar is {step}, the highest has {most:,} requests; red ones failed. The whole is {duration_text(span / 1000)}."
    return element("figure", svg, element("figcaption", note))
