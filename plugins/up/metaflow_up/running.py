"""Runs an assembled configuration until it ends or is told to stop, and shows it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from metaflow_core.cli.exits import OK

if TYPE_CHECKING:
    from metaflow_core import App
    from metaflow_core.hooks.host import PluginHost
    from metaflow_core.sdk import Tap
    from metaflow_up.place import Place

__all__ = ["print_config", "run_app"]

_SETTLE_S = 3.0

Said = Callable[["App"], Iterable[tuple[str, str]]]


def print_config(config: dict[str, Any], host: PluginHost) -> int:
    """Print a configuration as it would run."""
    import yaml

    from metaflow_up.usable import usable

    config, _ = usable(config, host)
    print(yaml.safe_dump(config, sort_keys=False), end="")
    return OK


async def run_app(
    config: dict[str, Any],
    place: Place,
    title: str,
    said: Said,
    *,
    host: PluginHost,
    notes: Sequence[str] = (),
    seconds: float | None = None,
    shown: Sequence[str] = (),
) -> int:
    """Start, print the block, show pipelines until the end, stop in order.

    :param place: the data directory, taken. :param title: first line of the block. :param said: the lines that come first in it.
    :param host: the plugins, loaded.
    :param notes: for standard error. :param seconds: stop after so many. :param shown: pipelines whose services are shown.
    :raises MetaFlowError: it cannot start, with a sentence.
    """
    from metaflow_up.block import base_url, block, left_out
    from metaflow_up.board import Board
    from metaflow_up.show import troubles, watch
    from metaflow_up.telling import plain_sentences

    for note in notes:
        print(f"mflow: {note}", file=sys.stderr)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    with plain_sentences():
        async with _started(config, place, host, shown) as (app, taps):
            place.tell(base_url(app))
            for line in block(app, title, said(app)):
                print(line, flush=True)
            known = left_out(app)
            beside = [asyncio.create_task(_end(app, ended, seconds)), asyncio.create_task(_settle())]
            await watch(app, Board(app.catalog), ended, taps, known)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    failed = (status for status in app.status() if status["state"] == "failed")
    for name, sentence in troubles(failed).items():
        if name not in known:
            print(f"mflow: {name}: {sentence}", file=sys.stderr)
    return OK


@contextlib.asynccontextmanager
async def _started(
    config: dict[str, Any], place: Place, host: PluginHost, shown: Sequence[str]
) -> AsyncIterator[tuple[App, list[Tap]]]:
    """The app while it runs, and taps on pipelines with all of their records; a store that cannot be opened comes with what to do."""
    # thousands of modules come and nothing goes: what looks for garbage would look through all of them again and again, until all is settled
    gc.disable()
    try:
        app, taps, left_out = await _open(config, place, host, shown)
        for note in left_out:
            print(f"mflow: {note}", file=sys.stderr)
        try:
            yield app, taps
        finally:
            await app.stop()
    finally:
        gc.enable()


async def _open(
    config: dict[str, Any], place: Place, host: PluginHost, shown: Sequence[str]
) -> tuple[App, list[Tap], list[str]]:
    from metaflow_core.errors import StartError, UnwritableStore
    from metaflow_up.usable import start_usable

    try:
        return await start_usable(config, host, shown)
    except StartError as error:
        # a full or read-only disk has damaged nothing, and says itself what to do
        if not str(error).startswith("storages.") or any(isinstance(each, UnwritableStore) for each in _causes(error)):
            raise
        raise StartError(
            f"{error}\nWhen what is kept there is damaged: move it away (mv {place.folder} {place.folder}.damaged) and start again, or "
            "give another directory with --data DIR."
        ) from error


async def _settle() -> None:
    """Give back what only the start needed, when who waited for the start has had the first answers: all stands still meanwhile."""
    from metaflow_up.lean import settle

    await asyncio.sleep(_SETTLE_S)
    await asyncio.to_thread(settle)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


async def _end(app: App, ended: asyncio.Event, seconds: float | None) -> None:
    """Set ``ended`` when the input ends (a capture) or the time is over."""
    tasks = [asyncio.create_task(app.wait())]
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        ended.set()
