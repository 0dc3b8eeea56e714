"""What a person sees: the block at the start, and the services while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from metaflow_up.board import Board

if TYPE_CHECKING:
    from metaflow_core import App
    from metaflow_core.api import CounterSample
    from metaflow_core.sdk import Tap

__all__ = ["dropped", "storage_text", "troubles", "watch"]

_ROWS = 25
_LINE_EVERY_S = 10.0
_DROPPED = {
    "kernel_ring_full": "this machine had no time to look at them: --interface, --filter or --only-port leave it fewer",
    "stopping": "when it stopped",
}
"""What somebody who watches can do about packets that were lost, by the reason of their counter."""


def storage_text(config: Mapping[str, Any]) -> str:
    """Where rows are kept."""
    names = [name for pipeline in config["pipelines"].values() for name in pipeline.get("storages", ())]
    kept = ", ".join(dict.fromkeys(names)) or "none"
    if kept == "memory":
        return "memory: gone when this process ends"
    return f"{kept}, data in {config['service']['data_dir']}"


async def watch(app: App, board: Board, ended: asyncio.Event, taps: Iterable[Tap], known: Collection[str] = ()) -> None:
    """Feed the board and show it until the app ends: a table in a terminal, else a line now and then.

    :param known: whose troubles were told already, by kind and name.
    """
    feeder = asyncio.ensure_future(asyncio.gather(*(_feed(board, tap) for tap in taps)))
    try:
        if sys.stdout.isatty():
            await _table(app, board, ended)
        else:
            await _lines(app, board, ended, known)
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)


async def _feed(board: Board, tap: Tap) -> None:
    async for batch in tap:
        board.add(batch)


async def _lines(app: App, board: Board, ended: asyncio.Event, known: Collection[str]) -> None:
    told: set[str] = set(known)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _LINE_EVERY_S)
        print(_totals(app, board), flush=True)
        now = troubles(app.status())
        # what is wrong may be said with numbers that change: once is enough
        for name in sorted(now.keys() - told):
            print(f"mflow: {name}: {now[name]}", file=sys.stderr, flush=True)
        for name in sorted(told - now.keys()):
            print(f"mflow: {name} works again", file=sys.stderr, flush=True)
        told = set(now)


def troubles(status: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What works badly or not at all now, a sentence for each component."""
    bad = (each for each in status if each["state"] in ("degraded", "failed", "quarantined") and each["message"])
    return {
        f"{each['kind']} {each['id']}": str(each["message"]).removeprefix(f"{each['kind']}s.{each['id']}: ")
        for each in bad
    }


async def _table(app: App, board: Board, ended: asyncio.Event) -> None:
    from rich.live import Live

    with Live(_render(app, board), refresh_per_second=2, transient=False) as live:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 1.0)
            live.update(_render(app, board))


def _render(app: App, board: Board) -> Any:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    # with its arithmetic of columns; nobody but a terminal needs it
    from metaflow_core.report.text import duration_text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("server", "protocol", "requests", "rate", "errors", "average", "max"):
        table.add_column(name)
    lines = board.lines()
    for line in lines[:_ROWS]:
        style = "red" if line.errors else ""
        cells = (
            line.server, line.protocol, str(line.requests), f"{line.rate:.3g}/s", str(line.errors or "-"),
            duration_text(line.average_us), duration_text(line.max_us),
        )  # fmt: skip
        table.add_row(*(Text(cell, style=style) for cell in cells))
    hint = Text("" if lines else _why_empty(app.stats()), style="yellow")
    bad = [Text(f"{name}: {said}", style="red") for name, said in troubles(app.status()).items()]
    return Group(Text(_totals(app, board)), table, hint, *bad)


def _totals(app: App, board: Board) -> str:
    lost = "".join(f", {packets:,} packets dropped ({why})" for why, packets in dropped(app.stats()).items())
    return (
        f"{board.packets:,} packets, {board.flows:,} flows, {board.requests:,} requests, "
        f"{len(board.lines())} services in the last minute{lost}"
    )


def dropped(stats: Iterable[CounterSample]) -> dict[str, int]:
    """Packets that were lost, by why in words that say what to do; the most first."""
    found: dict[str, int] = {}
    for sample in stats:
        if sample.stage == "dropped" and sample.unit == "packets" and sample.value:
            why = _DROPPED.get(sample.reason, sample.reason.replace("_", " "))
            found[why] = found.get(why, 0) + sample.value
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _why_empty(stats: Iterable[CounterSample]) -> str:
    """Which stage is at zero."""
    total: dict[str, int] = {}
    for sample in stats:
        total[sample.stage] = total.get(sample.stage, 0) + sample.value
    if not total.get("received"):
        return "No packets yet. If there should be some: is the interface the right one ('ip -s link'), and the filter not too narrow?"
    return (
        "Packets arrive, but no request has been recognised yet: wait for one, or see which protocols are known "
        "('mflow plugins list --kind parser')."
    )
