"""Runs the parsers that the engine does not call itself: the host's side of ``mfe_work`` and ``mfe_complete``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from metaflow_core.api import ParserFault

if TYPE_CHECKING:
    from metaflow_core.api import ParserRuntime

CHECK = 1
PARSE = 2

_log = logging.getLogger(__name__)


def batch_at(address: int, length: int) -> memoryview:
    """An engine's batch where it lies, read-only, without a copy.

    Not through ``ctypes.c_char * length``: that makes a new type for every length, which takes ten times as long as the
    rest of a call and leaves a cycle for the garbage collector.
    """
    import pyarrow as pa

    return memoryview(pa.foreign_buffer(address, length)).cast("B")


class WorkSource(Protocol):
    """An engine that hands out batches."""

    def next_work(self) -> tuple[int, int, memoryview] | None:
        """The parser's index, the operation and the batch (valid until ``complete``), or None when nothing waits."""
        ...

    def complete(self, result: bytes | memoryview) -> None:
        """Hand in the result of the last batch; empty when the parser failed."""
        ...


class ExternalParsers:
    """The runtimes of one engine, by parser index."""

    def __init__(self) -> None:
        self._runtimes: dict[int, tuple[str, ParserRuntime]] = {}

    def add(self, index: int, name: str, runtime: ParserRuntime) -> None:
        """Remember who runs a parser."""
        self._runtimes[index] = (name, runtime)

    def run(self, engine: WorkSource) -> None:
        """Run batches until the engine has no more.

        A runtime that raises has lost its batch: the engine counts that (and puts a parser that keeps failing into
        quarantine), the runtime is restarted, everything else goes on.
        """
        if not self._runtimes:
            return
        while (work := engine.next_work()) is not None:
            index, operation, batch = work
            name, runtime = self._runtimes[index]
            try:
                result = runtime.check(batch) if operation == CHECK else runtime.parse(batch)
            except ParserFault as fault:
                _log.warning("parser %s lost a batch of %d bytes: %s", name, len(batch), fault)
                result = self._restart(name, runtime)
            except Exception:  # noqa: BLE001 - a third party's parser may raise anything; the engine must go on
                _log.exception("parser %s failed on a batch of %d bytes", name, len(batch))
                result = self._restart(name, runtime)
            engine.complete(result)

    def _restart(self, name: str, runtime: ParserRuntime) -> bytes:
        try:
            runtime.restart()
        except Exception:  # noqa: BLE001 - as above
            _log.exception("parser %s could not be restarted", name)
        return b""

    def close(self) -> None:
        """Close every runtime."""
        for _, runtime in self._runtimes.values():
            runtime.close()
        self._runtimes.clear()
