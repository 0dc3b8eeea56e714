"""What tests with real peers share: a pipeline that watches, programs that ask each other, the way from a root to a node."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from metaflow_tracing.assembly.assemble import assemble_all
from metaflow_tracing.assembly.trace import Node, Trace
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.spans import spans_of
from programs import APPS, ask_all, program

import metaflow_core as mf
from metaflow_core.api import Kind
from metaflow_core.query import Scan
from metaflow_core.testing import free_port

REQUESTS = 6


class Peers:
    """Packets of some ports on the loopback, and spans over OTLP, in one pipeline as a configuration names them."""

    def __init__(self, ports: tuple[int, ...], otlp_port: int | None = None) -> None:
        collectors: dict[str, Any] = {
            "cbpf": {"interfaces": ["lo"], "filter": " or ".join(f"tcp port {port}" for port in ports)}
        }
        if otlp_port is not None:
            collectors["otlp"] = {"grpc_port": None, "http_port": otlp_port}
        self._app = mf.App(
            {
                "collectors": collectors,
                "storages": {"memory": {}},
                "pipelines": {"live": {"collectors": [*collectors], "parsers": ["http"], "storages": ["memory"]}},
            },
            autoload=True,
        )

    async def watch(self, work: Callable[[], None], wanted: int) -> list[Trace]:
        """Traces of what happens while it works, once so many rows are there."""
        async with self._app:
            await asyncio.sleep(0.3)
            await asyncio.to_thread(work)
            deadline = time.monotonic() + 20
            while (rows := await self._rows()).num_rows < wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
        assert rows.num_rows == wanted
        return assemble_all(spans_of(rows), load_rules())

    async def _rows(self) -> Any:
        unit = self._app._runtime.generation.unit(Kind.STORAGE, mf.ComponentId("memory"))
        return await unit.component.execute(Scan("flow_log.l7_flow_log"))


@contextmanager
def tiers(*commands: list[str]) -> Iterator[list[int]]:
    """Programs that listen where they are told and ask the next one; their ports once all are ready.

    Started together, since most of a Python program's first second is imports.
    """
    ports = [free_port() for _ in commands]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                program([sys.executable, str(APPS / app), *words, *map(str, ports[at + 1 : at + 2])], ports[at])
            )
            for at, (app, *words) in enumerate(commands)
        ]
        for process, port in zip(started, ports, strict=True):
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(port)
        yield ports


def at_once(port: int, headers: str, host: str = "127.0.0.1") -> None:
    """Clients that are not instrumented, all at the same time: then time alone tells nothing."""
    assert ask_all(port, REQUESTS, 1, headers, host) == REQUESTS


def way(trace: Trace, node: Node) -> list[str]:
    """From the root to a node: the point and the service of spans, the port of messages."""
    found: list[str] = []
    at: int | None = node.index
    while at is not None:
        each = trace.nodes[at]
        found.insert(0, f"{each.span.point} {each.span['app_service'] or each.span.server.port}")
        at = each.parent
    return found
