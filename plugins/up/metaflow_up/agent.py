"""``mflow agent``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_up.keeping import Keeping, KeepingType
from metaflow_up.wanted import capture_options, stop_option, stopping_within, wanted, write_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflow_core import App

__all__ = ["agent"]


@click.command()
@click.option("--server", required=True, metavar="HOST:PORT", help="The server that rows are sent to.")
@click.option(
    "--token-file", type=click.Path(path_type=Path, dir_okay=False), help="File with the token that the server wants."
)
@click.option("--tls", is_flag=True, help="Speak TLS, trusting the certificates that this system trusts.")
@click.option(
    "--tls-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM file with the certificates to trust; speaks TLS.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="PEM file with a certificate to show (mTLS)."
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="PEM file with that certificate's key."
)
@click.option("--tls-name", help="Name that the server's certificate has, where it is not that of the address.")
@capture_options
@click.option("--pcap", "captures", multiple=True, type=click.Path(), help="Read a capture instead of an interface.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Where the spool and the agent's id are kept. Default: ~/.local/state/metaflow-agent.",
)
@click.option("--spool-mib", type=click.IntRange(1), default=1024, show_default=True, help="MiB that may wait on disk.")
@click.option("--cluster", default="", help="Name of the Kubernetes cluster that this agent runs in, as rows show it.")
@click.option(
    "--keep-packets",
    "keeping",
    type=KeepingType(),
    default="headers",
    show_default=True,
    help="What is kept on this machine's disk of recent packets, for the server to ask for those of a flow.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@write_option(2.0, "in memory only; what is in the spool is safe")
@stop_option
@click.option("--print-config", is_flag=True, help="Print the configuration that this makes, and do nothing.")
def agent(
    *,
    server: str,
    token_file: Path | None,
    tls: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_name: str | None,
    captures: tuple[str, ...],
    data: Path | None,
    spool_mib: int,
    cluster: str,
    keeping: Keeping,
    seconds: float | None,
    wait_s: float,
    drain_s: float | None,
    print_config: bool,
    **asked: Any,
) -> int:
    """Watch this machine and send what is seen to a server ('mflow server').

    Rows wait in a spool on disk until the server has stored them: neither a server that is away nor a kill of either side loses
    or doubles one. The server need not know this agent.
    """
    from metaflow_core.api import Kind, is_loopback
    from metaflow_core.cli.installed import plugin_host
    from metaflow_core.errors import UnavailableError
    from metaflow_up import running
    from metaflow_up.assemble import LINK, agent_config, gathering
    from metaflow_up.choice import choose_capture, from_files
    from metaflow_up.lean import slim
    from metaflow_up.looking import ebpf_refused
    from metaflow_up.place import Place, address, default_data

    slim()
    wants = wanted(**asked)
    host = plugin_host()
    if LINK not in host.factories(Kind.STORAGE):
        raise UnavailableError("no installed plugin sends to a server; install metaflow-link")
    folder = (data or default_data("metaflow-agent")).absolute()
    server_host, server_port = address(server, "--server")
    if captures:
        capture = from_files(captures, wants.packet_filter)
    else:
        refused = ebpf_refused(host, folder) if wants.mode != "packets" else ""
        capture = choose_capture(host.factories(Kind.COLLECTOR), wants, (server_port,), "agent", refused)
    if not capture.collector:
        raise UnavailableError(capture.why)
    link: dict[str, Any] = {
        "server": server,
        "token": None if token_file is None else f"${{file:{token_file.absolute()}}}",
        "tls": tls or None,
        "tls_ca": _path(tls_ca),
        "tls_cert": _path(tls_cert),
        "tls_key": _path(tls_key),
        "tls_name": tls_name,
        "spool_bytes": spool_mib << 20,
    }
    config = agent_config(host, capture, folder, link, cluster, keeps_values=wants.keeps_values, keeping=keeping)
    stopping_within(gathering(config, wait_s), drain_s)
    if print_config:
        return running.print_config(config, host)
    place = Place(folder)
    notes = place.take()
    encrypted = tls or tls_ca is not None or tls_cert is not None
    if not encrypted and not is_loopback(server_host):
        notes.append(f"what goes to {server} is not encrypted; --tls-ca FILE (or --tls) makes it so")

    def said(app: App) -> Iterator[tuple[str, str]]:
        yield from capture.said()
        yield "server", f"{server} ({'TLS' if encrypted else 'not encrypted'}{', with a token' if token_file else ''})"
        forwarder: Any = app.components(Kind.STORAGE)[LINK]
        yield "agent", f"id {forwarder.agent_id}"
        yield from keeping.said(config)
        yield "spool", f"{folder}, at most {spool_mib} MiB; then the oldest rows go, counted"

    try:
        return asyncio.run(
            running.run_app(
                config, place, "MetaFlow agent is up.", said, host=host, notes=notes, seconds=seconds, shown=["live"]
            )
        )
    finally:
        place.release()


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
