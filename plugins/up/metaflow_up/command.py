"""``mflow up``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from metaflow_up.keeping import Keeping, KeepingType
from metaflow_up.wanted import capture_options, stop_option, stopping_within, wanted, write_option

__all__ = ["up"]

_PORT = 8088


@click.command()
@capture_options
@click.option(
    "--pcap",
    "captures",
    multiple=True,
    type=click.Path(),
    help="Read a capture instead of an interface; may be repeated.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Where data is kept. Default: ~/.local/state/metaflow.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the HTTP service on loopback. Default: {_PORT}, or the next free one.",
)
@click.option(
    "--receive/--no-receive",
    "receives",
    default=True,
    help="Also listen on loopback for what installed receivers take (Prometheus, OpenTelemetry, agents). Default: yes.",
)
@click.option(
    "--keep-packets",
    "keeping",
    type=KeepingType(),
    default="headers",
    show_default=True,
    help="What is kept on disk of recent packets, for captures of single flows: their headers, so many bytes behind them, all, or nothing.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@write_option(15.0, "a kill loses those that wait, a stop does not")
@stop_option
@click.option("--print-config", is_flag=True, help="Print the configuration that this makes, and do nothing.")
def up(
    *,
    captures: tuple[str, ...],
    data: Path | None,
    port: int | None,
    receives: bool,
    keeping: Keeping,
    seconds: float | None,
    wait_s: float,
    drain_s: float | None,
    print_config: bool,
    **asked: Any,
) -> int:
    """Watch this machine with what is installed, and show its services.

    Packets give flows and requests; with eBPF (as root, where its plugin is installed) also the processes, what is inside TLS, and which
    call caused which. Says which capture is in force and why, where data is kept, and every URL. Without the privilege to capture it says what
    to do. Ctrl-C stops in order.
    """
    from metaflow_core.api import Kind
    from metaflow_core.cli.installed import plugin_host
    from metaflow_core.errors import UnavailableError
    from metaflow_up import running
    from metaflow_up.assemble import assemble, gathering
    from metaflow_up.choice import choose_capture, from_files
    from metaflow_up.lean import without_pandas
    from metaflow_up.looking import ebpf_refused
    from metaflow_up.place import CLICKHOUSE_PORT, Place, clickhouse_port, default_data, free_port
    from metaflow_up.show import storage_text

    without_pandas()
    wants = wanted(**asked)
    host = plugin_host()
    folder = (data or default_data()).absolute()
    if print_config:
        chosen, clickhouse, notes = port or _PORT, CLICKHOUSE_PORT, []
    else:
        place = Place(folder)
        notes = place.take()
        chosen, note = free_port(port, _PORT)
        clickhouse, other = clickhouse_port()
        notes += [said for said in (note, other) if said]
    if captures:
        capture = from_files(captures, wants.packet_filter)
    else:
        refused = ebpf_refused(host, folder) if wants.mode != "packets" else ""
        own = (chosen, clickhouse) if clickhouse else (chosen,)
        capture = choose_capture(host.factories(Kind.COLLECTOR), wants, own, ebpf_refused=refused)
    if not capture.collector:
        raise UnavailableError(f"{capture.why}{offer(host)}")
    config = assemble(
        host,
        capture,
        folder,
        chosen,
        receives=receives,
        clickhouse=clickhouse,
        keeping=keeping,
        keeps_values=wants.keeps_values,
    )
    stopping_within(gathering(config, wait_s), drain_s)
    if print_config:
        return running.print_config(config, host)
    said = [*capture.said(), ("storage", storage_text(config)), *keeping.said(config)]
    try:
        return asyncio.run(
            running.run_app(
                config,
                place,
                "MetaFlow is up.",
                lambda app: said,
                host=host,
                notes=notes,
                seconds=seconds,
                shown=["live"],
            )
        )
    finally:
        place.release()


def offer(host: object) -> str:
    """A sentence that offers the demo, where that command is installed."""
    group = click.Group("mflow")
    add = getattr(host, "add_commands", None)
    if callable(add):
        add(group)
    if "demo" not in group.commands:
        return ""
    return "\nOr see a recorded shop without any privilege: mflow demo --pcap"
