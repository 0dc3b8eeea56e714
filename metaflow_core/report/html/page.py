"""The page: header, numbers, map, timeline, and a table for each part of the summary that has something to say."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Iterator

from metaflow_core.report.html.drawing import draw_map, draw_timeline
from metaflow_core.report.html.graph import graph_of
from metaflow_core.report.html.markup import Markup, cut, element, join, table, text
from metaflow_core.report.html.style import STYLE
from metaflow_core.report.model import Summary
from metaflow_core.report.text import duration_text, size_text

__all__ = ["page"]

_MOST_SERVICES = 100
_MOST_REASONS = 40


def page(summary: Summary, *, version: str = "") -> str:
    """One document in UTF-8. It holds no script, and its policy would run none."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"MetaFlow: {cut(', '.join(summary.files), 200)}"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{STYLE}</style>"
    )
    body = join((_header(summary), _cards(summary), *_sections(summary), _footer(version)))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _header(summary: Summary) -> Markup:
    lines = [element("h1", cut(", ".join(summary.files), 400))]
    if summary.start_ns:
        start = datetime.datetime.fromtimestamp(summary.start_ns / 1e9, datetime.UTC)
        span = duration_text((summary.end_ns - summary.start_ns) / 1000)
        lines.append(element("p", f"{start:%Y-%m-%d %H:%M:%S} UTC, {span}"))
    lines.extend(element("p", note) for note in summary.notes)
    return element("header", *lines)


def _cards(summary: Summary) -> Markup:
    share = f" ({100 * summary.errors / summary.requests:.3g} %)" if summary.requests else ""
    cards = [
        (f"{summary.requests:,}", "requests", ""),
        (f"{summary.errors:,}{share}", "failed", " bad" if summary.errors else ""),
        (f"{len(summary.services):,}", "services", ""),
        (f"{summary.flows:,}", "flows", ""),
        (f"{summary.packets:,}", "packets", ""),
        (size_text(summary.bytes), "on the wire", ""),
    ]
    return element(
        "div",
        *(
            element("div", element("b", number), element("span", word), class_=f"card{state}")
            for number, word, state in cards
        ),
        class_="cards",
    )


def _section(title: str, note: str, content: Markup) -> Markup:
    heading = element("h2", title, *([" ", element("span", note)] if note else []))
    return element("section", heading, content)


def _sections(summary: Summary) -> Iterator[Markup]:
    if not summary.flows:
        said = "There are no flows in this capture. If it should have some, look at its link type and at --filter."
        yield _section("Nothing", "", element("p", said))
    if summary.edges:
        graph = graph_of(summary.edges, summary.services)
        note = f"the busiest {len(graph.nodes)}; {graph.left_out} more are left out" if graph.left_out else ""
        yield _section("Who calls whom", note, element("div", draw_map(graph), class_="scroll"))
    if summary.timeline:
        chart = draw_timeline(summary.timeline, summary.step_ns, summary.start_ns, summary.end_ns)
        yield _section("Requests over time", "", chart)
    if summary.services:
        yield _services(summary)
    yield from _requests(summary)
    yield from _network(summary)


def _services(summary: Summary) -> Markup:
    seconds = (summary.end_ns - summary.start_ns) / 1e9
    shown = summary.services[:_MOST_SERVICES]
    rows = [
        (
            element("code", f"[{item.address}]:{item.port}" if ":" in item.address else f"{item.address}:{item.port}"),
            item.protocol,
            element("span", cut(item.name, 60), class_="long"),
            f"{item.requests:,}",
            f"{item.requests / seconds:.3g}/s" if seconds >= 1 else "–",
            _failed(item.errors, item.requests),
            duration_text(item.p50_us),
            duration_text(item.p95_us),
            duration_text(item.p99_us),
            duration_text(item.max_us),
            f"{item.clients:,}",
        )
        for item in shown
    ]
    columns = ("server", "protocol", "name", "requests", "rate", "failed", "p50", "p95", "p99", "max", "clients")
    note = f"the busiest {len(shown)} of {len(summary.services)}" if len(shown) < len(summary.services) else ""
    return _section("Services", note, table(columns, rows, right=columns[3:]))


def _failed(errors: int, requests: int) -> str | Markup:
    if not errors:
        return "–"
    return element("span", f"{errors:,} ({100 * errors / requests:.3g} %)" if requests else f"{errors:,}", class_="bad")


def _requests(summary: Summary) -> Iterator[Markup]:
    if summary.failures:
        rows = [
            (
                f"{item.count:,}", item.protocol, element("code", item.server), element("code", cut(item.request), class_="long"), item.status,
                element("span", cut(item.what, 160), class_="long"), element("code", str(item.flow_id)),
            )
            for item in summary.failures
        ]  # fmt: skip
        columns = ("times", "protocol", "server", "request", "status", "what", "flow")
        yield _section("Failed", "a flow is for: mflow explain flow ID FILE", table(columns, rows, right=("times",)))
    if summary.slowest:
        slow = [
            (
                duration_text(item.duration_us),
                f"{(item.time_ns - summary.start_ns) / 1e9:.3f} s" if summary.start_ns else "",
                item.protocol,
                element("code", item.server),
                element("code", cut(item.request), class_="long"),
                item.status,
                element("code", str(item.flow_id)),
            )
            for item in summary.slowest
        ]
        columns = ("took", "after", "protocol", "server", "request", "status", "flow")
        yield _section("Slowest", "", table(columns, slow, right=("took", "after")))


def _network(summary: Summary) -> Iterator[Markup]:
    if summary.paths:
        rows = [
            (
                element("code", item.client), element("code", item.server), f"{item.packets:,}",
                _failed(item.retransmissions, item.packets), str(item.out_of_order or "–"), str(item.zero_windows or "–"),
                duration_text(item.rtt_us) if item.rtt_us else "–", str(item.failed or "–"),
            )
            for item in summary.paths
        ]  # fmt: skip
        columns = ("client", "server", "packets", "retransmitted", "out of order", "zero window", "rtt", "ended badly")
        yield _section("TCP trouble", "", table(columns, rows, right=columns[2:]))
    if summary.troubles:
        ended = [(item.close_type, f"{item.count:,}") for item in summary.troubles]
        yield _section("Connections that ended badly", "", table(("how", "times"), ended, right=("times",)))
    if summary.unparsed:
        reasons = [(size_text(value), reason) for reason, value in summary.unparsed[:_MOST_REASONS]]
        title = f"Not parsed: {size_text(summary.unparsed_bytes)}"
        yield _section(title, "", table(("bytes", "reason"), reasons, right=("bytes",)))
    if summary.dropped:
        lost = [(f"{value:,}", stage, reason) for stage, reason, value in summary.dropped[:_MOST_REASONS]]
        yield _section("Not decoded", "", table(("count", "stage", "reason"), lost, right=("count",)))


def _footer(version: str) -> Markup:
    said = f"Made by MetaFlow {version}".rstrip()
    return element("footer", f"{said}. Durations are from the request's first byte to the answer's.")
