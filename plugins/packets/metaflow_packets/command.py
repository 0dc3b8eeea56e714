"""``mflow packets``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from metaflow_core.cli.exits import OK

__all__ = ["packets"]

_URL = "http://127.0.0.1:8088"


@click.command()
@click.argument("flow", metavar="FLOW_ID")
@click.option("--out", "-o", metavar="FILE", required=True, help="Capture file to write; '-' is standard output.")
@click.option(
    "--file", "files", multiple=True, type=click.Path(), help="Look in a capture instead of a server; may be repeated."
)
@click.option(
    "--filter", "capture_filter", metavar="BPF", help="With --file: only packets that pass this capture filter."
)
@click.option("--url", default=_URL, show_default=True, envvar="METAFLOW_URL", help="The server to ask.")
@click.option("--token", envvar="METAFLOW_TOKEN", help="For servers that want one.")
def packets(
    flow: str, *, out: str, files: tuple[str, ...], capture_filter: str | None, url: str, token: str | None
) -> int:
    """Write the packets of one flow to a capture file that Wireshark, tshark and mflow read.

    FLOW_ID is the column flow_id of any row. A running 'mflow up' keeps recent packets (see --keep-packets there); of a capture (--file) it
    is the flow of that number in it.

    \b
    mflow packets 1716982399974423122 --out flow.pcap
    mflow packets 1716982399974423122 --file shop.pcap --out - | tshark -r -
    """
    from metaflow_packets.rows import flow_number
    from metaflow_packets.sources import from_captures, from_server

    try:
        number = flow_number(flow)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    pcap, said = from_captures(files, number, capture_filter) if files else from_server(url, token, number)
    _write(pcap, out)
    print(f"mflow: {said} written to {'standard output' if out == '-' else out}.", file=sys.stderr)
    return OK


def _write(pcap: bytes, out: str) -> None:
    from metaflow_core.errors import InputError

    if out == "-":
        sys.stdout.buffer.write(pcap)
        sys.stdout.buffer.flush()
        return
    try:
        Path(out).write_bytes(pcap)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
