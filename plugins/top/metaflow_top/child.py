"""An instance of its own: ``mflow up`` on a free port with its data in a temporary folder, stopped at the end."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from metaflow_core.errors import UnavailableError
from metaflow_top.server import Server

__all__ = ["Child"]

_STARTS_WITHIN_S = 120.0
_ENDS_WITHIN_S = 15.0
_LOOKS_EVERY_S = 0.2
_SAID_LINES = 6


class Child:
    """Starts when entered, ends when left.

    :param arguments: further arguments of ``mflow up``: interfaces, a filter, captures.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Server:
        """Start it and wait until it answers.

        :raises UnavailableError: it does not come up; the sentence holds what it said.
        """
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = trial.getsockname()[1]
        self._folder = Path(tempfile.mkdtemp(prefix="mflow-top-"))
        self._log = (self._folder / "log").open("wb")
        command = [
            sys.executable,
            "-m",
            "metaflow_core",
            "up",
            "--port",
            str(port),
            "--data",
            str(self._folder / "data"),
        ]
        try:
            # a session of its own: Ctrl-C in the terminal is ours, and we end it in order
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            server = Server(f"http://127.0.0.1:{port}")
            self._wait(server)
        except BaseException:
            self.__exit__()
            raise
        return server

    def _wait(self, server: Server) -> None:
        assert self._process is not None
        end = time.monotonic() + _STARTS_WITHIN_S
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(UnavailableError):
                server.status()
                return
            time.sleep(_LOOKS_EVERY_S)
        said = (self._folder / "log").read_text(errors="replace").splitlines()[-_SAID_LINES:]
        words = " ".join(line.strip() for line in said) or "it said nothing"
        ended = "ended" if self._process.poll() is not None else f"did not answer within {_STARTS_WITHIN_S:g} s"
        raise UnavailableError(f"mflow up {ended}: {words.removeprefix('mflow: ')}")

    def __exit__(self, *_: object) -> None:
        """Stop it in order, then by force, and delete its data."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
