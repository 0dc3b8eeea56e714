"""The summary as lines for a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from metaflow_core.report.model import Summary

__all__ = ["duration_text", "size_text", "summary_lines", "summary_tables"]

Section = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]


def duration_text(microseconds: float) -> str:
    """A duration as a person says it: ``850 us``, ``12.3 ms``, ``4.56 s``, ``3 min 20 s``."""
    if microseconds < 1_000:
        return f"{microseconds:.0f} us"
    if microseconds < 1_000_000:
        return f"{microseconds / 1_000:.3g} ms"
    if microseconds < 60_000_000:
        return f"{microseconds / 1_000_000:.3g} s"
    minutes, seconds = divmod(round(microseconds / 1_000_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def size_text(count: float) -> str:
    """A number of bytes: ``512 B``, ``12.3 kB``, ``4.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return ""


def _share(part: int, whole: int) -> str:
    if not part:
        return "-"
    return f"{part} ({100 * part / whole:.3g} %)" if whole else str(part)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _unanswered(summary: Summary) -> str:
    return "all" if summary.unanswered == summary.errors else f"{summary.unanswered:,} of them"


def _clock(time_ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.UTC)
    return moment.strftime("%H:%M:%S.%f")[:-3]


def summary_lines(summary: Summary) -> Iterator[str]:
    """The first paragraph: what, when, how much."""
    yield ", ".join(summary.files)
    if summary.start_ns:
        start = datetime.datetime.fromtimestamp(summary.start_ns / 1e9, datetime.UTC)
        span = duration_text((summary.end_ns - summary.start_ns) / 1000)
        yield f"{start:%Y-%m-%d %H:%M:%S} UTC, {span}"
    errors = f", {_share(summary.errors, summary.requests)} failed" if summary.errors else ""
    if summary.unanswered:
        errors += f" ({_unanswered(summary)} without an answer)"
    counted = (_many(summary.packets, "packet"), size_text(summary.bytes), _many(summary.flows, "flow"))
    yield f"{', '.join(counted)}, {_many(summary.requests, 'request')}{errors}"
    yield from summary.notes


def summary_tables(summary: Summary, *, most: int = 20) -> Iterator[Section]:
    """``(title, columns, rows)`` of every part that has something to say."""
    if summary.services:
        yield _services(summary, most)
    if summary.slowest:
        rows: list[tuple[Any, ...]] = [
            (
                _clock(item.time_ns),
                duration_text(item.duration_us),
                item.protocol,
                item.server,
                _cut(item.request),
                item.status,
            )
            for item in summary.slowest
        ]
        yield "Slowest", ("time", "took", "protocol", "server", "request", "status"), rows
    if summary.failures:
        rows = [
            (item.count, item.protocol, item.server, _cut(item.request), item.status, item.what, item.flow_id)
            for item in summary.failures
        ]
        yield "Failed", ("times", "protocol", "server", "request", "status", "what", "flow, for mflow explain"), rows
    if summary.paths:
        rows = [
            (
                item.client, item.server, item.packets, _share(item.retransmissions, item.packets), item.out_of_order or "-",
                item.zero_windows or "-", duration_text(item.rtt_us) if item.rtt_us else "-", item.failed or "-",
            )
            for item in summary.paths
        ]  # fmt: skip
        columns = ("client", "server", "packets", "retransmitted", "out of order", "zero window", "rtt", "ended badly")
        yield "TCP trouble", columns, rows
    if summary.troubles:
        yield (
            "Connections that ended badly",
            ("how", "times"),
            [(item.close_type, item.count) for item in summary.troubles],
        )
    if summary.unparsed:
        yield (
            f"Not parsed: {size_text(summary.unparsed_bytes)}",
            ("bytes", "reason"),
            [(size_text(value), reason) for reason, value in summary.unparsed[:most]],
        )
    if summary.strangers:
        transports = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
        yield (
            "Unknown protocols",
            ("server", "transport", "flows", "payload"),
            [
                (item.server, transports.get(item.transport, item.transport), item.flows, size_text(item.bytes))
                for item in summary.strangers
            ],
        )
    if summary.dropped:
        yield (
            "Not decoded",
            ("count", "stage", "reason"),
            [(value, stage, reason) for stage, reason, value in summary.dropped[:most]],
        )


def _services(summary: Summary, most: int) -> Section:
    shown = summary.services[:most]
    seconds = max((summary.end_ns - summary.start_ns) / 1e9, 1e-9)
    # a column of dashes would only take room from the others
    unanswered = ("unanswered",) if any(item.unanswered for item in shown) else ()
    rows: list[tuple[Any, ...]] = [
        (
            f"[{item.address}]:{item.port}" if ":" in item.address else f"{item.address}:{item.port}",
            item.protocol,
            _cut(item.name, 32),
            item.requests,
            f"{item.requests / seconds:.3g}/s" if seconds >= 1 else "-",
            _share(item.errors, item.requests),
            *((item.unanswered or "-",) if unanswered else ()),
            duration_text(item.p50_us),
            duration_text(item.p95_us),
            duration_text(item.max_us),
            item.clients,
        )
        for item in shown
    ]
    more = len(summary.services) - len(shown)
    title = "Services" + (f" (the busiest {len(shown)} of {len(summary.services)})" if more else "")
    columns = ("server", "protocol", "name", "requests", "rate", "errors", *unanswered, "p50", "p95", "max", "clients")
    return title, columns, rows


def _cut(text: str, most: int = 60) -> str:
    """Text from the network on one line: no control characters, bounded."""
    clean = "".join(char if char.isprintable() else "\N{MIDDLE DOT}" for char in text)
    return clean if len(clean) <= most else clean[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A table of plain text, for places without a terminal."""
    table = [tuple(columns), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
