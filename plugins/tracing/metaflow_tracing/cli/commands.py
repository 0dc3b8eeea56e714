"""``mflow trace`` and ``mflow explain trace``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from metaflow_core.cli.exits import OK, RUNTIME

__all__ = ["explain", "trace"]

F = TypeVar("F", bound=Callable[..., Any])
_URL = "http://127.0.0.1:8088"


def _where_from(function: F) -> F:
    """From a server, or from captures."""
    options = (
        click.option("--file", "files", multiple=True, type=click.Path(), help="Read a capture instead of asking a server; one per host that captured; may be repeated."),
        click.option("--filter", "capture_filter", metavar="BPF", help="With --file: only packets that pass this capture filter."),
        click.option("--url", default=_URL, show_default=True, envvar="METAFLOW_URL", help="The server to ask."),
        click.option("--token", envvar="METAFLOW_TOKEN", help="For servers that want one."),
        click.option("--json", "as_json", is_flag=True, help="Machine-readable output; its shape is stable."),
    )  # fmt: skip
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), function)


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@_where_from
@click.option("--where", metavar="EXPR", help='Traces of requests for which this is true, e.g. "response_code >= 500".')
@click.option(
    "--last",
    metavar="SECONDS",
    type=float,
    default=3600.0,
    show_default=True,
    help="How far back to look when no ID is given.",
)
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many traces in a list."
)
@click.option("--all", "everything", is_flag=True, help="With --file: every trace whole, one below the other.")
def trace(
    name: str | None,
    *,
    files: tuple[str, ...],
    capture_filter: str | None,
    url: str,
    token: str | None,
    as_json: bool,
    where: str | None,
    last: float,
    limit: int,
    everything: bool,
) -> int:
    """Show a trace: who called whom, how long each took, and why it is known.

    ID is a trace id, or a row's id as lists of traces and the pages show it. Without ID a list of traces: of a server the latest, of
    captures (--file) all of them; a capture that holds a single trace shows it.

    \b
    mflow trace 4bf92f3577b34da6a3ce929d0e0e4736
    mflow trace --where "response_status = 'server_error'" --last 600
    mflow trace --file client.pcap --file server.pcap
    """
    from metaflow_tracing.cli.show import show_list, show_trace
    from metaflow_tracing.cli.sources import captured, from_server, list_from_server

    if files:
        found = captured(files, name, capture_filter, where)
    elif name:
        document = from_server(url, token, name)
        found = [document] if document else []
    else:
        summaries = list_from_server(url, token, where, last, limit)
        show_list(summaries, as_json=as_json)
        return OK
    if not found:
        return _nothing(name)
    if name or len(found) == 1:
        show_trace(found[0], as_json=as_json)
    elif everything:
        for document in found[:limit]:
            show_trace(document, as_json=as_json)
    else:
        show_list(found[:limit] if not as_json else found, as_json=as_json)
        if len(found) > limit and not as_json:
            print(f"{len(found) - limit} more; --limit shows more of them.", file=sys.stderr)
    return OK


@click.group()
def explain() -> None:
    """Joined to 'mflow explain' of the core."""


@explain.command("trace")
@click.argument("name", metavar="ID")
@_where_from
def explain_trace(
    name: str, *, files: tuple[str, ...], capture_filter: str | None, url: str, token: str | None, as_json: bool
) -> int:
    """Tell why a trace is what it is: the evidence of each edge, and of each break the best link that was refused.

    ID is a trace id or a row's id. With --file the trace is put together from captures.
    """
    from metaflow_tracing.cli.show import show_evidence
    from metaflow_tracing.cli.sources import captured, from_server

    if files:
        found = captured(files, name, capture_filter, None)
        document = found[0] if found else None
    else:
        document = from_server(url, token, name)
    if document is None:
        return _nothing(name)
    show_evidence(document, as_json=as_json)
    return OK


def _nothing(name: str | None) -> int:
    said = f"no row has the trace id or row id {name!r}" if name else "there is no request in these captures"
    print(f"mflow: {said}.", file=sys.stderr)
    return RUNTIME
