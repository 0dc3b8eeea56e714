"""``mflow explain``: why something is as it is."""

from __future__ import annotations

from datetime import UTC, datetime

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


@explain.command("tag")
@click.argument("address")
@click.option(
    "--config",
    "files",
    multiple=True,
    required=True,
    type=click.Path(),
    help="A configuration with taggers; may be repeated.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of a server at that address.")
@click.option("--udp", is_flag=True, help="The port is one of UDP.")
@click.option("--at", metavar="TIME", help="The time of the row, e.g. 2026-11-21T06:30:00Z; now when left out.")
@click.option("--set", "sets", metavar="PATH=VALUE", multiple=True, help="Override one option. May be repeated.")
@json_option
def tag(
    address: str, files: tuple[str, ...], *, port: int, udp: bool, at: str | None, sets: tuple[str, ...], as_json: bool
) -> None:
    """Show which tagger says what of an address at a time, and whose word counts.

    Only the taggers of the configuration are started. The names are those that rows of that time would show.
    """
    import asyncio

    from metaflow_core.sdk.explain_tag import TagQuestion, explain_tag

    question = TagQuestion(address=address, port=port, protocol=17 if udp else 6, time_ns=_moment(at))
    found = asyncio.run(explain_tag(files, question, sets=sets))
    if as_json:
        print_json(
            [
                {
                    "tagger": each.tagger,
                    "tags": dict(each.tags),
                    "counted": sorted(each.counted),
                    "problem": each.problem,
                }
                for each in found
            ]
        )
        return
    rows = [
        (each.tagger, name, value, "counts" if name in each.counted else "")
        for each in found
        for name, value in sorted(each.tags.items())
    ]
    print_table(("tagger", "tag", "value", ""), rows, title=address)
    for each in found:
        if each.problem:
            print(f"{each.tagger}: {each.problem}")
        elif not each.tags:
            print(f"{each.tagger}: knows nothing of it")
    if not found:
        print("The configuration has no taggers.")


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2026-11-21T06:30:00Z", param_hint="--at") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000
