"""``mflow read``."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from metaflow_core.cli import exits
from metaflow_core.cli.output import print_json, print_table

if TYPE_CHECKING:
    from metaflow_core.report import Summary
    from metaflow_core.sdk import Capture
    from metaflow_core.sdk.rows import Rows

_FORMATS = ("table", "jsonl", "csv", "parquet", "arrow")
_REPORT = "html"
_BINARY = frozenset({"parquet", "arrow"})
_TOP, _TOP_OF_REPORT = 5, 25
_PROGRESS_AFTER_S = 1.0
_NOTHING: tuple[Any, ...] = (None, "", 0, [], False)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--table",
    help="Print the rows of a table instead of the summary, e.g. l7_flow_log, l7_message, l4_flow_log, network.1s.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice((*_FORMATS, _REPORT)),
    help="Form of the rows; default table on a terminal, else jsonl. html is the summary as one page, for sending.",
)
@click.option(
    "--filter",
    "capture_filter",
    metavar="BPF",
    help="Only packets that pass this capture filter, e.g. 'tcp port 3306'.",
)
@click.option(
    "--where",
    metavar="EXPR",
    help="Only rows for which this is true, e.g. \"response_code >= 500 and endpoint like '/api/*'\".",
)
@click.option("--columns", metavar="A,B", help="Only these columns, in this order.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many rows.")
@click.option(
    "--out", metavar="FILE", type=click.Path(), help="Write to a file; its suffix chooses the format, .html a report."
)
@click.option("--parsers", metavar="A,B", help="Only these parsers, in this order of priority.")
@click.option("--refiners", metavar="A,B", help="Refine messages by their bodies, e.g. jsonrpc,graphql.")
@click.option("--engine", metavar="TYPE", help="Another flow engine than the only one there is.")
@click.option("--collector", metavar="TYPE", help="Another reader of files, e.g. pyshark.")
@click.option(
    "--set",
    "sets",
    metavar="PATH=VALUE",
    multiple=True,
    help="Set an option of a component, e.g. --set engines.flow.build=wasm.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help=f"How many of the slowest and of the failed the summary shows; default {_TOP}, in a report {_TOP_OF_REPORT}.",
)
@click.option(
    "--traces",
    is_flag=True,
    help="Put the requests together into traces, across the captures of several hosts (needs a plugin that does it).",
)
@click.option(
    "--flow",
    metavar="FLOW_ID",
    help="Write the packets of this flow to the capture file --out (needs a plugin that does it).",
)
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(),
    help="Store every table in a directory, to be asked with mflow query --data.",
)
@click.option(
    "--storage", metavar="TYPE", default="", help="The storage of --into; default the best that is installed."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON; its shape is stable.")
def read(
    files: tuple[str, ...],
    *,
    table: str | None,
    layout: str | None,
    capture_filter: str | None,
    where: str | None,
    columns: str | None,
    limit: int | None,
    out: str | None,
    parsers: str | None,
    refiners: str | None,
    engine: str | None,
    collector: str | None,
    sets: tuple[str, ...],
    top: int | None,
    traces: bool,
    flow: str | None,
    into: str | None,
    storage: str,
    as_json: bool,
) -> int:
    """See what happened in captures: no root, no server, no configuration.

    FILE is a capture (pcap, pcapng, compressed or not; '-' is standard input); several are merged by time. Without
    --table a summary: services and how they answer, the slowest and the failed requests, TCP trouble, what could not
    be parsed and why.

    \b
    mflow read capture.pcap
    mflow read a.pcap b.pcap.gz --table l7_flow_log --where "response_status != 'ok'"
    tcpdump -w - -c 1000 | mflow read - --table l7_message --format jsonl
    mflow read capture.pcap --table l7_flow_log --out requests.parquet
    mflow read capture.pcap --out report.html
    mflow read capture.pcap --into store
    mflow read capture.pcap --flow 1716982399974423122 --out flow.pcap
    """
    from metaflow_core.sdk import read_pcap

    if flow is not None:
        if out is None or any((table, layout, where, columns, traces, into, as_json)):
            raise click.UsageError("--flow writes packets: give it with --out FILE.pcap, and with --filter at most.")
        return _packets(files, flow, out, capture_filter)
    is_report = layout == _REPORT or (
        table is None and layout is None and str(out or "").lower().endswith((".html", ".htm"))
    )
    _check_report(is_report=is_report, table=table, out=out, as_json=as_json)
    for name, value in (("--format", layout), ("--where", where), ("--columns", columns), ("--out", out)):
        if table is None and value is not None and not (is_report and name in ("--format", "--out")):
            raise click.UsageError(f"{name} is about rows; name the table they come from, e.g. --table l7_flow_log.")
    if traces:
        if table is not None:
            raise click.UsageError("--traces and --table show different things; give one of them.")
        return _traces(files, capture_filter, as_json=as_json)
    if into is not None and (table is not None or is_report or as_json):
        raise click.UsageError(
            "--into stores every table and prints none; leave out --table, --out, --format and --json."
        )
    bar = _Progress()
    capture = read_pcap(
        files,
        filter=capture_filter,
        parsers=parsers.split(",") if parsers else None,
        refiners=refiners.split(",") if refiners else (),
        engine=engine,
        collector=collector,
        options=_options(sets),
        progress=bar.update if sys.stderr.isatty() else None,
    )
    try:
        if into is not None:
            from metaflow_core.cli.into import store_capture

            return store_capture(capture, into, storage)
        if table is None:
            if is_report:
                return _report(capture, top=top or _TOP_OF_REPORT, out=out)
            _summary(capture, top=top or _TOP, as_json=as_json)
            return exits.OK
        capture.expect(table)
        rows = capture.stream(table)
        if where:
            rows = rows.where(where)
        if columns:
            rows = rows.select(*columns.split(","))
        if limit is not None:
            rows = rows.head(limit)
        return _rows(rows, layout, out)
    finally:
        bar.close()


def _traces(files: tuple[str, ...], capture_filter: str | None, *, as_json: bool) -> int:
    return _handed("trace", "--traces", files, capture_filter, ["--json"] if as_json else [])


def _packets(files: tuple[str, ...], flow: str, out: str, capture_filter: str | None) -> int:
    return _handed("packets", "--flow", files, capture_filter, [flow, "--out", out])


def _handed(name: str, option: str, files: tuple[str, ...], capture_filter: str | None, words: list[str]) -> int:
    """Hand over to a command that a plugin has."""
    from metaflow_core.cli.root import plugin_commands

    command = plugin_commands(warn=True).get(name)
    if command is None:
        raise click.UsageError(f"{option} needs a plugin with the command {name!r}; none is installed.")
    words = [*words, *(word for file in files for word in ("--file", file))]
    words += ["--filter", capture_filter] if capture_filter else []
    code = command.main(args=words, prog_name=f"mflow {name}", standalone_mode=False)
    return code if isinstance(code, int) else exits.OK


def _options(sets: tuple[str, ...]) -> dict[str, Any]:
    from metaflow_core.config import read_document

    plain = read_document({}, sets=sets).tree.plain()
    return dict(plain) if isinstance(plain, dict) else {}


def _check_report(*, is_report: bool, table: str | None, out: str | None, as_json: bool) -> None:
    if not is_report:
        return
    if table is not None:
        raise click.UsageError("html is the form of the summary; leave out --table, or choose another --format.")
    if as_json:
        raise click.UsageError("--json and html are two forms; give one of them.")
    if out is None and sys.stdout.isatty():
        raise click.UsageError("a report is a file for a browser; write it with --out report.html, or into a pipe.")


def _summarised(capture: Capture, top: int) -> Summary:
    from metaflow_core.report import Summariser

    summariser = Summariser(capture.catalog, top=top)
    for batch in capture.stream_all(summariser.tables):
        summariser.add(batch.table, batch.data)
    return summariser.summary(capture.paths, capture.counters(), capture.notes)


def _report(capture: Capture, *, top: int, out: str | None) -> int:
    import importlib.metadata
    from pathlib import Path

    from metaflow_core.errors import InputError
    from metaflow_core.report.html import page

    body = page(_summarised(capture, top), version=importlib.metadata.version("metaflow-core")).encode(
        "utf-8", "replace"
    )
    if out is None:
        sys.stdout.buffer.write(body)
        return exits.OK
    try:
        Path(out).write_bytes(body)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    print(f"Report written to {out}.", file=sys.stderr)
    return exits.OK


def _summary(capture: Capture, *, top: int, as_json: bool) -> None:
    from metaflow_core.report.text import summary_lines, summary_tables

    summary = _summarised(capture, top)
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    for line in summary_lines(summary):
        print(line)
    for title, names, rows in summary_tables(summary):
        print()
        print_table(names, rows, title=title)
    if not summary.flows:
        print("There are no flows in this capture. If it should have some, look at its link type and at --filter.")


def _rows(rows: Rows, layout: str | None, out: str | None) -> int:
    if out is not None:
        if layout == "table":
            raise click.UsageError("--format table is for terminals; choose jsonl, csv, parquet or arrow for --out.")
        count = rows.write(out, layout)
        print(f"{count} rows written to {out}.", file=sys.stderr)
        return exits.OK
    layout = layout or ("table" if sys.stdout.isatty() else "jsonl")
    if layout in _BINARY:
        if sys.stdout.isatty():
            raise click.UsageError(f"{layout} is binary; write it to a file with --out, or into a pipe.")
        rows.write_to(sys.stdout.buffer, layout)
    elif layout == "table":
        _print(rows)
    else:
        rows.write_to(sys.stdout.buffer, layout)
    return exits.OK


def _print(rows: Rows) -> None:
    """Rows for a terminal; columns that are empty in every row are left out unless they were asked for."""
    from metaflow_core.model.catalog.render import cell_text

    table = rows.to_arrow()
    names = [
        name
        for name in table.column_names
        if rows.chosen or any(value not in _NOTHING for value in table.column(name).unique().to_pylist()[:2])
    ]
    print_table(names, ([cell_text(row[name]) for name in names] for row in table.select(names).to_pylist()))


class _Progress:
    """A bar on standard error, once reading has taken longer than a second."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def update(self, read: int, total: int | None) -> None:
        """Called for each block, in the thread that reads."""
        if self._bar is None:
            if time.monotonic() - self._begun < _PROGRESS_AFTER_S:
                return
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

            self._bar = Progress(
                BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("reading", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=read if total is None else min(read, total))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
