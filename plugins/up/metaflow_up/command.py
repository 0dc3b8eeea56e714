"""``mflow up``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from metaflow_core.cli.exits import OK

__all__ = ["up"]


def _default_data() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "metaflow"


@click.command()
@click.option(
    "--interface",
    "-i",
    "interfaces",
    multiple=True,
    help="Interface name or pattern; may be repeated. Default: every one that is up.",
)
@click.option(
    "--filter",
    "capture_filter",
    metavar="BPF",
    help="Only packets that pass this capture filter, e.g. 'tcp port 3306'.",
)
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
    default=8088,
    show_default=True,
    help="Port of the HTTP service on loopback, where one is installed.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@click.option("--print-config", is_flag=True, help="Print the configuration that this makes, and do nothing.")
def up(
    *,
    interfaces: tuple[str, ...],
    capture_filter: str | None,
    captures: tuple[str, ...],
    data: Path | None,
    port: int,
    seconds: float | None,
    print_config: bool,
) -> int:
    """Watch this machine with what is installed, and show its services.

    Says which capture is in force and why, where data is kept, and every URL. Without the privilege to capture it says what
    to do. Ctrl-C stops in order.
    """
    from metaflow_core.api import Kind
    from metaflow_core.errors import UnavailableError
    from metaflow_core.hooks.host import PluginHost
    from metaflow_up.assemble import assemble
    from metaflow_up.choice import Capture, choose_capture

    host = PluginHost()
    host.load()
    if captures:
        options: dict[str, Any] = {"files": list(captures), "filter": capture_filter}
        capture = Capture("pcap", options, f"the files {', '.join(captures)}")
    else:
        capture = choose_capture(host.factories(Kind.COLLECTOR), interfaces, capture_filter, (port,))
    if not capture.collector:
        raise UnavailableError(capture.why)
    config = assemble(host, capture, (data or _default_data()).absolute(), port)
    if print_config:
        import yaml

        from metaflow_up.usable import usable

        config, _ = usable(config)
        print(yaml.safe_dump(config, sort_keys=False), end="")
        return OK
    return asyncio.run(_run(config, capture.why, port, seconds))


async def _run(config: dict[str, Any], why: str, port: int, seconds: float | None) -> int:
    from metaflow_core import App
    from metaflow_up.board import Board
    from metaflow_up.show import banner, watch
    from metaflow_up.usable import usable

    Path(config["service"]["data_dir"]).mkdir(parents=True, exist_ok=True)
    config, notes = usable(config)
    for note in notes:
        print(f"mflow: {note}", file=sys.stderr)
    app = App(config, autoload=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    async with app:
        urls = [f"http://127.0.0.1:{port}/"] if config.get("services") else []
        for line in banner(config, why, urls):
            print(line, flush=True)
        waiter = asyncio.create_task(_end(app, ended, seconds))
        await watch(app, Board(app.catalog), ended)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    for status in app.status():
        if status.get("state") == "failed":
            print(f"mflow: {status.get('kind')} {status.get('id')}: {status.get('message')}", file=sys.stderr)
    return OK


async def _end(app: Any, ended: asyncio.Event, seconds: float | None) -> None:
    """Set ``ended`` when the input ends (a capture) or the time is over."""
    tasks = [asyncio.create_task(app.wait())]
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        ended.set()
