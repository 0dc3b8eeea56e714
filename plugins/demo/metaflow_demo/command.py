"""``mflow demo``."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import click

__all__ = ["demo"]


@click.command()
@click.option(
    "--pcap", "recorded", is_flag=True, help="Show a recorded shop instead: needs no privilege and no servers."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the pages on loopback. Default: 8089, or the next free one."
)
@click.option(
    "--rate", type=click.FloatRange(0.1, 5000), default=20.0, show_default=True, help="Calls of customers a second."
)
@click.option("--calls", type=click.IntRange(0), default=0, help="Stop calling after so many; 0 never.")
@click.option(
    "--loss",
    type=click.FloatRange(0, 50),
    default=1.0,
    show_default=True,
    help="Percent of packets that the customers' wire loses.",
)
@click.option("--plain", is_flag=True, help="On this machine's own loopback, not in network namespaces of its own.")
@click.option("--no-ebpf", is_flag=True, help="Watch packets only, not the shop's processes.")
@click.option("--shop-only", is_flag=True, help="Only the shop and its customers; watch it yourself.")
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every call of the shop to this file (JSON lines).",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Where what is seen is kept. Default: a directory that goes with the demo.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
def demo(
    *,
    recorded: bool,
    port: int | None,
    rate: float,
    calls: int,
    loss: float,
    plain: bool,
    no_ebpf: bool,
    shop_only: bool,
    log: Path | None,
    data: Path | None,
    seconds: float | None,
) -> int:
    """Run a small shop of real servers, with customers, slow calls and failures, and show it in 'mflow up'.

    As root everything happens in network namespaces of its own, with a wire that loses packets; nothing else of the machine is
    watched or changed. Without root: mflow demo --pcap. Ctrl-C takes everything down.
    """
    from metaflow_core.errors import UnavailableError
    from metaflow_demo.network import why_no_network
    from metaflow_demo.run import Options, play, show_recorded

    why = why_no_network()
    options = Options(
        port=port or _free_port(),
        data=data,
        log=log,
        rate=rate,
        calls=calls,
        loss=loss,
        seconds=seconds,
        network=not plain and not why,
        watched=not shop_only,
        ebpf=not no_ebpf and not recorded and not shop_only and _may_watch_processes(),
    )
    if recorded:
        return asyncio.run(show_recorded(options))
    if not shop_only and not _may_capture():
        raise UnavailableError(
            f"watching the shop needs CAP_NET_RAW, which user {os.geteuid()} lacks here; run as root (sudo mflow demo), or see a "
            "recorded one: mflow demo --pcap"
        )
    return asyncio.run(play(options))


def _may_capture() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except (OSError, AttributeError):
        return False
    return True


def _may_watch_processes() -> bool:
    """Whether the eBPF collector is installed and lacks nothing here."""
    from metaflow_core.api import Examination, FindingState, Kind, Surroundings
    from metaflow_core.cli.installed import plugin_host

    host = plugin_host()
    looks = [each for _, each in host.examinations() if isinstance(each, Examination) and each.name == "eBPF"]
    if "ebpf" not in host.factories(Kind.COLLECTOR):
        return False
    around = Surroundings(data_dir=Path())
    return all(found.state is not FindingState.MISSING for look in looks for found in look.run(around))


def _free_port() -> int:
    for port in range(8089, 8189):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 8089
