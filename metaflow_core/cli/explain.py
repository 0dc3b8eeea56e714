"""``mflow explain``: why something is as it is."""

from __future__ import annotations

import click

from metaflow_core.cli.extendable import ExtendableGroup
from metaflow_core.cli.options import json_option
from metaflow_core.cli.output import print_json, print_table


@click.group(cls=ExtendableGroup)
def explain() -> None:
    """Tell why: how the protocol of a flow was recognised, and what plugins can tell of theirs."""


@explain.command("flow")
@click.argument("flow_id", type=int)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--filter", "capture_filter", metavar="BPF", help="Only packets that pass this capture filter.")
@click.option("--parsers", metavar="A,B", help="Only these parsers, in this order of priority.")
@json_option
def flow(
    flow_id: int, files: tuple[str, ...], *, capture_filter: str | None, parsers: str | None, as_json: bool
) -> None:
    """Show which parsers looked at a flow, what each said and at which byte.

    FLOW_ID stands in the column flow_id of l4_flow_log and l7_flow_log, and in the summary of 'mflow read'.
    """
    from metaflow_core.sdk import read_pcap

    capture = read_pcap(files, filter=capture_filter, parsers=parsers.split(",") if parsers else None)
    steps = [dict(step) for step in capture.explain(flow_id)]
    if as_json:
        print_json(steps)
        return
    names = [
        name
        for name in ("time_ns", "parser", "op", "verdict", "offset", "reason")
        if any(name in step for step in steps)
    ]
    print_table(names, ([step.get(name) for name in names] for step in steps), title=f"Flow {flow_id}")
