"""``mflow top``."""

from __future__ import annotations

import contextlib
import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from metaflow_core.cli.exits import OK
from metaflow_core.cli.output import print_json, print_table

if TYPE_CHECKING:
    from metaflow_top.server import Server

__all__ = ["top"]

_VIEWS = ("services", "requests", "flows", "edges", "health")
_PATIENCE_S = 15.0
_DEFAULT_URL = "http://127.0.0.1:8088"


@click.command()
@click.option("--url", metavar="URL", help=f"A running instance; default {_DEFAULT_URL} when one answers there.")
@click.option("--token", metavar="TOKEN", help="Token of the instance; default METAFLOW_TOKEN of the environment.")
@click.option("--interface", "-i", "interfaces", multiple=True, help="Capture here instead: interface name or pattern.")
@click.option("--filter", "capture_filter", metavar="BPF", help="Capture here instead: only packets that pass this.")
@click.option("--pcap", "captures", metavar="FILE", multiple=True, type=click.Path(), help="Show a capture instead.")
@click.option(
    "--where", metavar="EXPR", default="", help="Only rows for which this is true, e.g. \"l7_protocol = 'HTTP'\"."
)
@click.option("--view", type=click.Choice(_VIEWS), default="services", show_default=True, help="What --once prints.")
@click.option("--span", "seconds", type=click.IntRange(1, 86_400), default=60, show_default=True, help="Seconds shown.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    help="Seconds between questions.",
)
@click.option("--once", is_flag=True, help="Print one view and end; also what happens when the output is no terminal.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows that --once prints.")
@click.option("--json", "as_json", is_flag=True, help="One view as JSON; its shape is stable.")
def top(
    *,
    url: str | None,
    token: str | None,
    interfaces: tuple[str, ...],
    capture_filter: str | None,
    captures: tuple[str, ...],
    where: str,
    view: str,
    seconds: int,
    every_s: float,
    once: bool,
    limit: int,
    as_json: bool,
) -> int:
    """Show services, requests, flows, edges and drops live in a terminal.

    Of the instance at --url; without one that answers it captures itself, as mflow up does, and keeps nothing.

    \b
    keys: 1 to 5 views, s and r sort, / filter, + and - time, p pause, q quit
    ssh -t server mflow top
    mflow top --once --view requests --where "response_status = 'server_error'"
    """
    own = [word for name in interfaces for word in ("--interface", name)]
    own += [word for name in captures for word in ("--pcap", name)]
    own += ["--filter", capture_filter] if capture_filter else []
    if url is not None and own:
        raise click.UsageError(
            "--url shows an instance, --interface, --filter and --pcap start one; give one of the two."
        )
    is_plain = once or as_json or not sys.stdout.isatty()
    with _server(url, token or os.environ.get("METAFLOW_TOKEN", ""), own) as server:
        if is_plain:
            _print(server, view, seconds, where, limit, as_json=as_json, patience_s=_PATIENCE_S if own else 0.0)
            return OK
        from metaflow_top.app import TopApp

        TopApp(server, where=where, seconds=seconds, every_s=every_s).run()
    return OK


def _server(url: str | None, token: str, own: list[str]) -> AbstractContextManager[Server]:
    from metaflow_core.errors import UnavailableError
    from metaflow_top.child import Child
    from metaflow_top.server import Server

    if url is not None:
        return contextlib.nullcontext(Server(url, token))
    if not own:
        usual = Server(_DEFAULT_URL, token)
        with contextlib.suppress(UnavailableError):
            usual.status()
            return contextlib.nullcontext(usual)
    print("Starting a capture of its own…", file=sys.stderr)
    return Child(own)


def _print(
    server: Server, name: str, seconds: int, where: str, limit: int, *, as_json: bool, patience_s: float
) -> None:
    from time import monotonic, sleep

    from metaflow_top.clockwork import shown
    from metaflow_top.views import VIEWS

    view = next(each for each in VIEWS if each.name == name)
    end = monotonic() + patience_s
    while True:
        time = shown(server, seconds)
        lines = view.lines(server, time.span, where if name != "health" else "")
        # an instance that has just begun has no rows yet
        if lines or monotonic() > end:
            break
        sleep(0.5)
    lines.sort(key=lambda line: line.keys[view.sort], reverse=True)
    titles = [column.title for column in view.columns]
    if as_json:
        rows = [dict(zip(titles, line.keys, strict=True)) for line in lines[:limit]]
        print_json({"view": name, "begin": time.span.begin, "end": time.span.end, "rows": rows})
        return
    print_table(titles, (line.cells for line in lines[:limit]), title=f"{name}, {time.said}")
