"""Traces in a terminal: a list, a waterfall, the evidence."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metaflow_core.cli.output import print_json
from metaflow_core.report.text import duration_text

__all__ = ["show_evidence", "show_list", "show_trace"]

_WIDE = 10_000
_MOST = 500
_BAR = 30
_INDENT = 40
_BAD = frozenset({"server_error", "client_error", "timeout"})


def _console() -> Console:
    is_terminal = sys.stdout.isatty()
    console = Console(soft_wrap=not is_terminal, highlight=False)
    if not is_terminal:
        console.width = max(console.width, 160)
    return console


def _moment(us: int) -> str:
    try:
        return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    except (OverflowError, ValueError, OSError):
        return f"{us} us"


def show_list(summaries: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """One line per trace."""
    if as_json:
        print_json({"traces": [_summary(each) if "spans" in each else each for each in summaries]})
        return
    if not summaries:
        print(
            "There is no trace in this time. Longer back: --last SECONDS; what was captured at all: mflow query 'SELECT Count(row) FROM l7_flow_log'."
        )
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("id", "start", "took", "service", "request", "messages", "rows", "errors", "roots"):
        table.add_column(
            name,
            justify="right" if name in ("took", "messages", "rows", "errors", "roots") else "left",
            overflow="fold",
        )
    for each in summaries:
        name = each["trace_ids"][0] if each["trace_ids"] else each["row_id"]
        cells = (
            name, _moment(each["start_us"])[11:], duration_text(each["duration_us"]), each["root_service"], each["root"], each["hop_count"],
            each["span_count"], each["error_count"] or "-", each["root_count"],
        )  # fmt: skip
        table.add_row(*(Text(str(cell), style="red" if each["error_count"] else "") for cell in cells))
    _console().print(table)


def _summary(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in document.items() if name not in ("spans", "services", "clocks", "notes", "plans")
    }


def show_trace(document: dict[str, Any], *, as_json: bool) -> None:
    """The waterfall: what was called below what called it, with bars over the trace's time."""
    if as_json:
        print_json(document)
        return
    console = _console()
    for line in _head(document):
        console.print(line)
    table = Table(box=None, show_edge=False, pad_edge=False)
    for name in ("", "where", "took", "itself", ""):
        table.add_column(name, justify="right" if name in ("took", "itself") else "left", no_wrap=True)
    begin, total = document["start_us"], max(1, document["duration_us"])
    for span in document["spans"][:_MOST]:
        table.add_row(*_row(span, begin, total))
    console.print(table, crop=False)
    if len(document["spans"]) > _MOST:
        console.print(f"{len(document['spans']) - _MOST} more rows; --json has all of them.", style="yellow")
    console.print()
    console.print(_services(document))
    for said in _clocks(document["clocks"]):
        console.print(Text(said))
    for note in document["notes"]:
        console.print(Text(f"Note: {note}.", style="yellow"))


def _head(document: dict[str, Any]) -> Iterable[Text]:
    names = ", ".join(document["trace_ids"][:3]) or f"row {document['row_id']}"
    yield Text(f"Trace {names}", style="bold")
    errors = f", {document['error_count']} rows with errors" if document["error_count"] else ""
    yield Text(
        f"{_moment(document['start_us'])} UTC, {duration_text(document['duration_us'])}, {document['hop_count']} messages and spans in "
        f"{document['span_count']} rows{errors}"
    )
    yield Text("")


def _row(span: dict[str, Any], begin: int, total: int) -> tuple[Text, ...]:
    sign = "" if span["edge"] is None else {"same": "┆ ", "cause": "└ ", "sibling": "└ "}[span["edge"]["relation"]]
    style = (
        "red"
        if span["status"] in _BAD
        else "bold"
        if span["is_critical"] and span["edge"] and span["edge"]["relation"] != "same"
        else ""
    )
    is_same = span["edge"] is not None and span["edge"]["relation"] == "same"
    what = span["point"] if is_same else f"{_who(span)}  {span['name']}"
    depth = min(span["depth"], _INDENT)
    label = Text(f"{' ' * depth}{sign}{what}", style="dim" if is_same else style)
    if not is_same and span["edge"] and span["edge"]["confidence"] < 0.9:
        label.append(f"  ({span['edge']['confidence']:.0%} sure)", style="yellow")
    if span["edge"] is None and span["missing"] and span["missing"]["candidate"]:
        label.append("  (its cause is not known: mflow explain trace)", style="yellow")
    place = f"{span['point']} {span['agent_id']}" if span["agent_id"] else span["point"]
    start = round((span["start_us"] - begin) / total * _BAR)
    length = max(1, round(span["duration_us"] / total * _BAR))
    bar = Text(
        " " * min(start, _BAR - 1) + "█" * max(1, min(length, _BAR - start)),
        style="red" if style == "red" else "cyan" if span["is_critical"] else "blue",
    )
    return (
        label,
        Text(place, style="dim"),
        Text(duration_text(span["duration_us"])),
        Text(duration_text(span["self_us"]), style="dim"),
        bar,
    )


def _services(document: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("who spent the time", "itself", "share", "rows", "errors"):
        table.add_column(name, justify="left" if name.startswith("who") else "right")
    for each in document["services"][:20]:
        cells = (
            each["name"],
            duration_text(each["self_us"]),
            f"{each['share']:.1%}",
            str(each["spans"]),
            str(each["errors"] or "-"),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _clocks(clocks: Sequence[dict[str, Any]]) -> Iterable[str]:
    for clock in clocks:
        if clock["offset_us"] or not clock["is_steady"]:
            yield (
                f"Clock of {clock['name']}: {clock['offset_us']:+d} us (give or take {clock['uncertainty_us']} us) against {clock['against']}, from "
                f"{clock['pairs']} exchanges that both saw{'' if clock['is_steady'] else '; it jumped'}."
            )


def show_evidence(document: dict[str, Any], *, as_json: bool) -> None:
    """Each edge with the values that agreed and where; each break with what came nearest."""
    if as_json:
        names = ("id", "parent_id", "row_id", "point", "agent_id", "name", "edge", "missing")
        edges = [{name: span[name] for name in names} for span in document["spans"]]
        print_json(
            {
                "trace_ids": document["trace_ids"],
                "clocks": document["clocks"],
                "notes": document["notes"],
                "edges": edges,
            }
        )
        return
    console = _console()
    for line in _head(document):
        console.print(line)
    spans = {span["id"]: span for span in document["spans"]}
    for span in document["spans"]:
        console.print(Text(f"{span['id']:>4}  {_named(span)}", style="bold"))
        for line in _why(span, spans):
            console.print(line)
    for said in (*_clocks(document["clocks"]), *(f"Note: {note}." for note in document["notes"])):
        console.print(Text(said))


def _who(span: dict[str, Any]) -> str:
    """Whom it is about: the server of a message, the sender of a span."""
    name: str = span["service"] if span["point"].endswith("app") else span["server"]["name"]
    return name


def _named(span: dict[str, Any]) -> str:
    return f"{_who(span)}  {span['name']}  [{span['point']}, agent {span['agent_id']}]  {duration_text(span['duration_us'])}"


def _why(span: dict[str, Any], spans: dict[int, dict[str, Any]]) -> Iterable[Text]:
    edge, missing = span["edge"], span["missing"]
    if edge is not None:
        above = spans[span["parent_id"]]
        verb = {
            "same": "is the same message as",
            "cause": "was caused by",
            "sibling": "has the cause of another call, which is",
        }[edge["relation"]]
        style = "green" if edge["confidence"] >= 0.9 else "yellow"
        yield Text(f"      {verb} {above['id']} ({above['point']}, agent {above['agent_id']}): {edge['reason']}")
        yield Text(f"      rule {edge['kind']}, {edge['confidence']:.0%} sure", style=style)
        yield from _values(edge["matched"], f"{above['id']}.", f"{span['id']}.")
    elif missing is not None:
        yield Text(
            f"      nothing is known to have caused it: {missing['reason']}",
            style="yellow" if missing["candidate"] else "",
        )
        candidate = missing["candidate"]
        if candidate is not None:
            yield Text(
                f"      the nearest was {candidate['server']}  {candidate['name']}  [{candidate['point']}] at {_moment(candidate['start_us'])[11:]}, "
                f"row {candidate['row_id']}, refused by rule {missing['kind']}"
            )
            yield from _values(missing["matched"], "its ", "mine ")


def _values(matched: Iterable[dict[str, str]], first: str, second: str) -> Iterable[Text]:
    for each in matched:
        yield Text(f"        {first}{each['first']} = {second}{each['second']} = {each['value']}", style="dim")
