"""Real programs, watched by the kernel collector and on the wire: links right and wrong.

Every request has a path of its own, so that each link can be judged: it is right when both its ends carry the same path and the ports are
those of the tiers that call each other.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from metaflow_storage_memory.storage import MemoryStorage
from metaflow_tracing.assembly.assemble import assemble_all
from metaflow_tracing.assembly.trace import Trace
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.spans import spans_of
from programs import ask_all, made_of_go, three_tiers

import metaflow_core as mf
from metaflow_core.api import Kind
from metaflow_core.query import Scan
from metaflow_core.testing import capture_refused

pytestmark = pytest.mark.root


class Watch:
    """An app that collects into memory."""

    def __init__(self, collector: str, **options: Any) -> None:
        config = {
            "collectors": {collector: options},
            "storages": {"memory": {}},
            "pipelines": {"live": {"collectors": [collector], "parsers": ["http"], "storages": ["memory"]}},
        }
        self.app = mf.App(config, autoload=True)
        self.traces: list[Trace] = []
        self.told = ""

    async def run(self, work: Any, wanted: int) -> list[Trace]:
        """Do something while it watches, wait until so many rows are there, and put them together."""
        async with self.app:
            await asyncio.sleep(0.5)
            await asyncio.to_thread(work)
            rows = 0
            for _ in range(100):
                await asyncio.sleep(0.2)
                rows = len(await self.rows())
                if rows >= wanted:
                    break
            found = spans_of(await self.rows())
            counted = [f"{each.component} {each.stage}/{each.reason} {each.value}" for each in self.app.stats()]
            self.told = f"{rows} of {wanted} rows came; counted: {'; '.join(counted)}"
        return assemble_all(found, load_rules())

    async def rows(self) -> Any:
        unit = self.app._runtime.generation.unit(Kind.STORAGE, mf.ComponentId("memory"))
        storage: MemoryStorage = unit.component
        return await storage.execute(Scan("flow_log.l7_flow_log"))


def judge(traces: list[Trace], front: int, middle: int) -> tuple[int, int, int]:
    """Links that are right, wrong, and messages that nothing is known to have caused although a tier did."""
    right = wrong = missing = 0
    for trace in traces:
        for node in trace.nodes:
            above = None if node.parent is None else trace.nodes[node.parent]
            if above is not None and above.hop == node.hop:
                continue
            if above is None:
                missing += node.span.server.port != front
                continue
            is_same = above.span["request_resource"] == node.span["request_resource"]
            asker = above.span.server.port
            is_way = asker == front or (asker == middle and node.span.server.port not in (front, middle))
            right += is_same and is_way
            wrong += not (is_same and is_way)
    return right, wrong, missing


def ebpf(ports: tuple[int, ...]) -> Watch:
    """The kernel collector on these ports, or a skip with its own reason."""
    pytest.importorskip("metaflow_collector_ebpf", reason="the plugin metaflow-collector-ebpf is not installed")
    try:
        watch = Watch("ebpf", ports=list(ports))
        watch.app.validate()
    except mf.MetaFlowError as error:
        pytest.skip(f"no kernel collector here: {error}")
    return watch


async def watched(
    app: str, headers: str, clients: int, each: int, rows_each: int, how: str = ""
) -> tuple[int, tuple[int, int, int], list[Trace]]:
    with three_tiers(app, how or headers) as (front, middle, back):
        watch = ebpf((front, middle, back))
        counts: list[int] = []
        try:
            traces = await watch.run(
                lambda: counts.append(ask_all(front, clients, each, headers)), clients * each * rows_each
            )
        except mf.UnavailableError as error:
            pytest.skip(f"no kernel collector here: {error}")
        # without rows no link could be wrong, and nothing would be proven
        assert traces, watch.told
        return counts[0], judge(traces, front, middle), traces


async def test_threads_under_32_clients() -> None:
    """No header at all: each call is linked to the request that its thread was serving, and to no other."""
    count, (right, wrong, missing), traces = await watched("tier.py", "none", 32, 4, 7)
    assert wrong == 0
    assert missing == 0
    assert right == count * 3
    whole = [trace for trace in traces if len({node.hop for node in trace.nodes}) == 4]
    assert len(whole) == count
    kinds = {node.edge.kind for trace in traces for node in trace.nodes if node.edge}
    assert kinds <= {"tcp_seq", "thread", "thread_chain"}


async def test_goroutines_under_32_clients(tmp_path: Path) -> None:
    """The same in Go, where goroutines change threads and others write for them: each call is linked, without a header."""
    app = made_of_go(tmp_path)
    count, (right, wrong, missing), traces = await watched(app, "none", 32, 4, 7, "own")
    assert wrong == 0
    assert missing == 0
    assert right == count * 3
    reasons = {node.edge.reason for trace in traces for node in trace.nodes if node.edge and node.edge.kind == "thread"}
    assert reasons == {"one goroutine received the one and then sent the other"}


async def test_goroutines_that_others_started(tmp_path: Path) -> None:
    """Each call in a goroutine of its own: likely the caller's, and never said to be certain."""
    count, (right, wrong, missing), traces = await watched(made_of_go(tmp_path), "none", 8, 4, 7, "fan")
    assert wrong == 0
    assert right + missing == count * 3
    assert right >= count * 2
    sure = [
        node.edge.confidence for trace in traces for node in trace.nodes if node.edge and node.edge.kind == "thread"
    ]
    assert max(sure) < 0.9


async def test_an_event_loop_is_not_guessed() -> None:
    """Many requests in one thread and no header: nothing is linked wrongly, whatever else."""
    _, (_, wrong, _), _ = await watched("atier.py", "none", 16, 4, 7)
    assert wrong == 0


async def test_an_event_loop_with_headers() -> None:
    """The same with headers that name the parent: all are linked, by the headers."""
    count, (right, wrong, missing), _ = await watched("atier.py", "b3", 16, 4, 7)
    assert wrong == 0
    assert missing == 0
    assert right == count * 3


@contextmanager
def tcpdump(path: Path, interface: str, ports: tuple[int, ...], namespace: str = "") -> Iterator[None]:
    """A capture of some ports, complete when the context is left."""
    words = ["ip", "netns", "exec", namespace] if namespace else []
    words += [
        "tcpdump",
        "-i",
        interface,
        "--immediate-mode",
        "-B",
        "65536",
        "-U",
        "-Z",
        "root",
        "-w",
        str(path),
        " or ".join(f"tcp port {port}" for port in ports),
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening on" in line:
                break
        else:
            pytest.skip("tcpdump does not start here")
        try:
            yield
        finally:
            # until nothing more is written
            size = -1
            while size != path.stat().st_size:
                size = path.stat().st_size
                time.sleep(0.5)
            process.send_signal(2)
            process.communicate(timeout=20)


@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
@pytest.mark.parametrize("headers", ["b3", "traceparent", "x-request-id", "none"])
def test_packets_on_loopback(tmp_path: Path, headers: str) -> None:
    """On a loopback all hosts are one, so only headers that name the parent link; nothing is guessed."""
    from metaflow_core import read_pcap

    with three_tiers("atier.py", headers) as (front, middle, back):
        with tcpdump(tmp_path / "a.pcap", "lo", (front, middle, back)):
            count = ask_all(front, 8, 4, headers)
        spans = spans_of(read_pcap(tmp_path / "a.pcap").table("l7_flow_log").to_arrow(stored=True), agent_id=1)
        right, wrong, missing = judge(assemble_all(spans, load_rules()), front, middle)
    assert len(spans) == count * 4
    assert wrong == 0
    if headers == "b3":
        assert (right, missing) == (count * 3, 0)
