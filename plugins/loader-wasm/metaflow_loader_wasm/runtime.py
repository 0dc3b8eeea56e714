"""A Wasm parser as the pipeline sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from metaflow_core.api import ParserFault, abi
from metaflow_core.api.wire import check_frame
from metaflow_core.errors import ParseError
from metaflow_loader_wasm.instance import Instance, batch_count

__all__ = ["WasmRuntime", "options_text"]


def options_text(options: Mapping[str, str]) -> bytes:
    """Options as ``key=value`` lines for ``mf_configure``.

    :raises ValueError: a key or value holds a line break.
    """
    lines: list[str] = []
    for key, value in options.items():
        if "\n" in f"{key}{value}" or "\r" in f"{key}{value}" or "=" in key:
            raise ValueError(f"the option {key!r} holds a line break or '=' in its name")
        lines.append(f"{key}={value}\n")
    return "".join(lines).encode()


class WasmRuntime:
    """The ``ParserRuntime`` of the ``wasm`` runtime: one instance at a time, a new one after :meth:`restart`."""

    def __init__(self, create: Callable[[], Instance]) -> None:
        self._create = create
        self._instance: Instance | None = create()

    def check(self, batch: memoryview) -> bytes:
        """See :meth:`metaflow_core.api.ParserRuntime.check`."""
        result = self._running().call(abi.EXPORT_CHECK, batch)
        segments = batch_count(batch)
        rows = self._framed(result, abi.MAGIC_CHECKS, segments)
        if rows != segments:
            raise ParserFault(f"mf_check returned {rows} verdicts for {segments} segments; each segment needs one")
        return result

    def parse(self, batch: memoryview) -> bytes:
        """See :meth:`metaflow_core.api.ParserRuntime.parse`."""
        result = self._running().call(abi.EXPORT_PARSE, batch)
        self._framed(result, abi.MAGIC_RECORDS)
        return result

    def restart(self) -> None:
        """Throw the instance away and start another.

        :raises ParserFault: it does not start.
        """
        self.close()
        self._instance = self._create()

    def close(self) -> None:
        """Free the instance. Idempotent."""
        if self._instance is not None:
            self._instance.close()
            self._instance = None

    @property
    def memory_bytes(self) -> int:
        """Linear memory of the instance, for counters."""
        return self._instance.memory_bytes if self._instance is not None else 0

    def _running(self) -> Instance:
        if self._instance is None:
            raise ParserFault("the parser is closed; restart it")
        return self._instance

    @staticmethod
    def _framed(result: bytes, magic: int, limit: int = 1 << 20) -> int:
        try:
            return check_frame(result, magic, limit)
        except ParseError as error:
            raise ParserFault(f"the parser's result is malformed: {error}") from error
