"""The demo's processes: each dies with the demo, each is stopped by its id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from metaflow_core.errors import StartError

__all__ = ["UP_STOPS_WITHIN_S", "Processes"]

_PATIENCE_S = 15.0
UP_STOPS_WITHIN_S = 20
"""What ``mflow up`` has for its last rows: who ends a demo does not want to wait for long."""


class Processes:
    """Started in order, stopped in reverse.

    :param folder: what they say goes into files there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[tuple[str, asyncio.subprocess.Process]] = []

    async def start(
        self, name: str, *command: str, holder: int = 0, user: str = "", shown: bool = False, ready: str = ""
    ) -> asyncio.subprocess.Process:
        """Start a command.

        :param holder: process in whose network namespace it runs, 0 for ours. :param user: whose rights it has (see ``inside``), empty for ours.
        :param shown: it writes to our own output. :param ready: a line it prints when it is.
        :raises StartError: it ended before it was ready; with its last words.
        """
        words = [*_inside(holder, user), *command]
        path = self._folder / f"{name}.log"
        with path.open("ab") as log:
            out = None if shown else asyncio.subprocess.PIPE if ready else log
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=None if shown else log,
                # Ctrl-C in the terminal is for the demo, which stops them in order
                start_new_session=True,
            )  # fmt: skip
        self._running.append((name, process))
        if ready:
            assert process.stdout is not None
            line = await process.stdout.readline()
            if line.decode().strip() != ready:
                raise StartError(f"{name} did not start: {last_words(path)}")
        return process

    async def run(self, *command: str, holder: int = 0, user: str = "") -> None:
        """Run a command to its end.

        :raises StartError: it failed.
        """
        words = [*_inside(holder, user), *command]
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise StartError(f"{' '.join(command)} failed: {out.decode(errors='replace').strip()[-500:]}")

    def ended(self) -> str:
        """Name of a process that ended by itself, empty when none did."""
        return next((name for name, process in self._running if process.returncode is not None), "")

    def words(self, name: str) -> str:
        """The last words of a process."""
        return last_words(self._folder / f"{name}.log")

    async def stop(self, only: str = "") -> None:
        """Stop all, or those of a name, the last started first; one that does not end in time is killed. Never raises."""
        for name, process in reversed(self._running):
            if only and name != only:
                continue
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _PATIENCE_S + (UP_STOPS_WITHIN_S if name == "up" else 0))
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._running = [(name, process) for name, process in self._running if only and name != only]


def _inside(holder: int, user: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "metaflow_demo.inside", str(os.getpid()), str(holder), user or "-")


def last_words(path: Path) -> str:
    """The last lines of a log."""
    try:
        return " / ".join(path.read_text(errors="replace").strip().splitlines()[-4:])[-600:] or "it said nothing"
    except OSError:
        return "it said nothing"
