"""``mflow server``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_up.wanted import stop_option, stopping_within, write_option

if TYPE_CHECKING:
    from metaflow_core import App

__all__ = ["server"]

_PORT = 8088
_LISTEN = "127.0.0.1:20133"


@click.command()
@click.option(
    "--listen",
    default=_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    help="Where agents are listened for; any address but loopback wants a token.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the token that agents must give. Default: made in the data directory when others can reach the server.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="PEM file with the server's certificate."
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="PEM file with that certificate's key."
)
@click.option(
    "--tls-client-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM file: agents must show a certificate signed by these (mTLS).",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Where data is kept. Default: ~/.local/state/metaflow-server."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the HTTP service on loopback. Default: {_PORT}, or the next free one.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@write_option(15.0, "an agent keeps what is not, and is answered within five seconds")
@stop_option
@click.option("--print-config", is_flag=True, help="Print the configuration that this makes, and do nothing.")
def server(
    *,
    listen: str,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    data: Path | None,
    port: int | None,
    seconds: float | None,
    wait_s: float,
    drain_s: float | None,
    print_config: bool,
) -> int:
    """Take the rows of agents ('mflow agent'), store them, and answer questions about them.

    Agents hear that rows arrived when they are stored. Listens on loopback unless told otherwise.
    """
    from metaflow_core.api import Kind, is_loopback, joined
    from metaflow_core.cli.installed import plugin_host
    from metaflow_core.errors import UnavailableError
    from metaflow_up import running
    from metaflow_up.assemble import LINK, gathering, server_config
    from metaflow_up.lean import without_pandas
    from metaflow_up.place import Place, address, default_data, free_port, made_token
    from metaflow_up.show import storage_text

    without_pandas()
    listen_host, _ = address(listen, "--listen")
    is_private = is_loopback(listen_host)
    host = plugin_host()
    if LINK not in host.factories(Kind.COLLECTOR):
        raise UnavailableError("no installed plugin receives from agents; install metaflow-link")
    folder = (data or default_data("metaflow-server")).absolute()
    place = Place(folder)
    notes = [] if print_config else place.take()
    if token_file is None and tls_client_ca is None and not is_private:
        token_file = folder / "agent-token"
        if not print_config:
            made_token(token_file)
    chosen, note = (port or _PORT, "") if print_config else free_port(port, _PORT)
    if note:
        notes.append(note)
    link: dict[str, Any] = {
        "listen": listen,
        "token": None if token_file is None else f"${{file:{token_file.absolute()}}}",
        "tls_cert": _path(tls_cert),
        "tls_key": _path(tls_key),
        "tls_client_ca": _path(tls_client_ca),
    }
    config = stopping_within(gathering(server_config(host, folder, chosen, link), wait_s), drain_s)
    if print_config:
        return running.print_config(config, host)
    if tls_cert is None and not is_private:
        notes.append("what agents send is not encrypted; --tls-cert and --tls-key make it so")

    def said(app: App) -> Iterator[tuple[str, str]]:
        receiver: Any = app.components(Kind.COLLECTOR)[LINK]
        how = "TLS" if tls_cert else "not encrypted"
        yield (
            "agents",
            f"listened for on {joined(listen_host, receiver.port)} ({how}{', with a token' if token_file else ''})",
        )
        yield "storage", storage_text(config)
        words = f"sudo mflow agent --server {joined(_seen_from_outside(listen_host), receiver.port)}"
        words += f" --token-file {token_file}" if token_file else ""
        words += " --tls-ca CA.pem" if tls_cert else ""
        yield "connect", f"agents: {words}"

    try:
        return asyncio.run(
            running.run_app(
                config, place, "MetaFlow server is up.", said, host=host, notes=notes, seconds=seconds, shown=["agents"]
            )
        )
    finally:
        place.release()


def _seen_from_outside(host: str) -> str:
    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
