"""``mflow query``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_core.cli.exits import OK
from metaflow_querier.client.promql import ask_api, parameters, show_plot

if TYPE_CHECKING:
    from metaflow_core.api import QueryResult
    from metaflow_querier.client.askers import Asker

__all__ = ["query"]


@dataclass(frozen=True, slots=True)
class _Promql:
    """The options that belong to ``--promql``."""

    text: str | None
    at: str | None
    start: str | None
    end: str | None
    step: str | None
    plot: bool | None


_DEFAULT_URL = "http://127.0.0.1:8088"
"""Where mflow up and mflow server answer."""


@click.command()
@click.argument("sql", required=False)
@click.option(
    "--pcap",
    "captures",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="Ask a capture; may be repeated. '-' is standard input.",
)
@click.option("--url", metavar="URL", help=f"Ask a running server (default METAFLOW_URL, or {_DEFAULT_URL}).")
@click.option(
    "--data", metavar="DIR", type=click.Path(path_type=Path), help="Ask a store in a directory, without a server."
)
@click.option("--storage", metavar="TYPE", default="", help="The storage that --data belongs to, when several could.")
@click.option("--token", metavar="TOKEN", help="Token of the server; default METAFLOW_TOKEN of the environment.")
@click.option(
    "--dialect",
    metavar="TYPE",
    default="sql",
    show_default=True,
    help="The language of the question, for --pcap and --data.",
)
@click.option(
    "--promql", metavar="EXPR", help="Ask in PromQL instead of SQL: now, or a range with --from, --to, --step."
)
@click.option("--at", metavar="TIME", help="PromQL: the moment; default now.")
@click.option(
    "--from", "start", metavar="TIME", help="PromQL: begin of a range: -30m, 2026-11-21T06:00:00Z, seconds since 1970."
)
@click.option("--to", "end", metavar="TIME", help="PromQL: end of the range; default now.")
@click.option("--step", metavar="DURATION", help="PromQL: between two points of a range; default what fits a terminal.")
@click.option("--plot/--no-plot", default=None, help="PromQL: draw a range; default on a terminal without --format.")
@click.option("--db", metavar="NAME", help="Database of tables named without one.")
@click.option("--precision", metavar="P", help="Precision of tables named without one: 1s, 1m, 1h, 1d.")
@click.option("--raw", is_flag=True, help="The text is the storage's own SQL (read only).")
@click.option(
    "--format",
    "layout",
    type=click.Choice(("table", "csv", "jsonl", "arrow", "parquet")),
    help="Form of the rows; default table on a terminal, else jsonl.",
)
@click.option("--out", metavar="FILE", type=click.Path(), help="Write to a file; its suffix chooses the format.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1, max=3600),
    default=60.0,
    show_default=True,
    help="Seconds that a question may take.",
)
@click.option(
    "--max-rows", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Rows that an answer may have."
)
@click.option("--json", "as_json", is_flag=True, help="Rows as JSON Lines, and errors as JSON.")
def query(
    sql: str | None,
    *,
    captures: tuple[str, ...],
    url: str | None,
    data: Path | None,
    storage: str,
    token: str | None,
    dialect: str,
    promql: str | None,
    at: str | None,
    start: str | None,
    end: str | None,
    step: str | None,
    plot: bool | None,
    db: str | None,
    precision: str | None,
    raw: bool,
    layout: str | None,
    out: str | None,
    timeout_s: float,
    max_rows: int,
    as_json: bool,
) -> int:
    """Ask in SQL: a capture, a store, or a running server.

    SQL is the question; '-' reads it from standard input, and without one a prompt is opened on a terminal.

    \b
    mflow query --pcap x.pcap "SELECT l7_protocol, Count(row) FROM l7_flow_log GROUP BY l7_protocol"
    mflow query "SHOW TAGS FROM network" --format csv
    mflow query --url http://server:20416 "SELECT time(time, 60) AS t, PerSecond(byte) FROM network GROUP BY t"
    mflow query --data store --promql "sum by (l7_protocol_enum) (flow_metrics__application__request__1s)" --from -10m
    mflow query --pcap x.pcap
    """
    if sum((bool(captures), url is not None, data is not None)) > 1:
        raise click.UsageError("--pcap, --url and --data each say whom to ask; give one of them.")
    asked = _Promql(promql, at, start, end, step, plot)
    if promql is not None:
        if sql is not None:
            raise click.UsageError("give a question in SQL or --promql, not both.")
        sql, dialect = promql, "promql"
    elif any(each is not None for each in (at, start, end, step, plot)):
        raise click.UsageError("--at, --from, --to, --step and --plot belong to --promql.")
    if sql is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "give a question, e.g. \"SHOW TABLES\", or '-' to read it from standard input; a prompt needs a terminal."
        )
    if sql is None and out is not None:
        raise click.UsageError("--out is for one question; give it.")
    if sql == "-":
        sql = sys.stdin.read()
    if as_json:
        layout = layout or "jsonl"
    params: dict[str, Any] = {
        name: value for name, value in (("db", db), ("data_precision", precision), ("raw", raw)) if value
    }
    if promql is not None:
        params = parameters(at, start, end, step)
    token = token or os.environ.get("METAFLOW_TOKEN")
    if promql is not None and not captures and data is None:
        return _show(ask_api(url or _default_url(), token, promql, params, timeout_s), layout, out, asked)
    asker = _asker(captures, url, data, storage=storage, token=token, dialect=dialect)
    try:
        if promql is not None:
            result = asker.ask(promql, timeout_s=timeout_s, max_rows=max_rows, params=params)
            return _show(result, layout, out, asked)
        return _run(asker, sql, params, layout=layout, out=out, timeout_s=timeout_s, max_rows=max_rows)
    finally:
        asker.close()


def _asker(
    captures: tuple[str, ...], url: str | None, data: Path | None, *, storage: str, token: str | None, dialect: str
) -> Asker:
    from metaflow_querier.client.askers import CaptureAsker, RemoteAsker, StoreAsker

    if captures:
        return CaptureAsker(captures, dialect)
    if data is not None:
        return StoreAsker(data, storage, dialect)
    return RemoteAsker(url or _default_url(), token)


def _default_url() -> str:
    return os.environ.get("METAFLOW_URL") or _DEFAULT_URL


def _show(result: QueryResult, layout: str | None, out: str | None, asked: _Promql) -> int:
    from metaflow_querier.client.printing import show, write

    if out is not None:
        write(result, out, layout)
        return OK
    is_terminal = sys.stdout.isatty()
    wanted = asked.plot if asked.plot is not None else is_terminal and layout is None
    if not (wanted and show_plot(result, colour=is_terminal)):
        show(result, layout)
    return OK


def _run(
    asker: Asker,
    sql: str | None,
    params: dict[str, Any],
    *,
    layout: str | None,
    out: str | None,
    timeout_s: float,
    max_rows: int,
) -> int:
    from metaflow_querier.client.printing import show, write

    if sql is None:
        from metaflow_querier.client.prompt import prompt

        prompt(
            asker.catalog,
            lambda text: asker.ask(text, timeout_s=timeout_s, max_rows=max_rows, params=params),
            lambda result: show(result, layout),
        )
        return OK
    result = asker.ask(sql, timeout_s=timeout_s, max_rows=max_rows, params=params)
    if out is not None:
        write(result, out, layout)
    else:
        show(result, layout)
    return OK
