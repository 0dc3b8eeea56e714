"""DNS over UDP, seen by packets and by system calls: one hop for each question, whoever asks, and however often."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from metaflow_tracing.gather.limits import Limits
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.spans import Span, spans_of
from metaflow_tracing.tracer import Tracer

import metaflow_core as mf
from metaflow_core.api import Kind
from metaflow_core.model.catalog import load_catalog
from metaflow_core.query import Scan
from metaflow_core.testing import capture_refused, free_port, peers_missing

NEEDS = peers_missing("dnsmasq", root=True) or capture_refused()
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]

# one socket that is connected and one that is not; the same id three times; and asked again before the answer was read
CLIENT = """
import socket, struct, sys, time
place = ("127.0.0.1", int(sys.argv[1]))
def ask(one, number):
    name = b"\\x01a\\x04test\\0"
    question = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
    if one is connected: one.send(question)
    else: one.sendto(question, place)
connected, bare = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
connected.connect(place)
for one in (connected, bare):
    one.settimeout(10)
    for number in (1, 2, 7, 7, 7):
        ask(one, number)
        one.recv(4096)
    for _ in range(2):
        ask(one, 9)
        time.sleep(0.3)
    for _ in range(2): one.recv(4096)
"""


@contextmanager
def dnsmasq() -> Iterator[int]:
    """A server of names; its port."""
    port = free_port()
    words = [
        "dnsmasq",
        "-k",
        "-p",
        str(port),
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--no-resolv",
        "--no-hosts",
    ]
    words += ["--conf-file=/dev/null", "--user=root", "--pid-file=", "--address=/a.test/192.0.2.1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def questions(storage: Any) -> list[Span]:
    """Rows of questions: where the client asked again before it read, an answer comes alone."""
    table = await storage.execute(Scan("flow_log.l7_flow_log"))
    return [span for span in spans_of(table) if span["type"] != 1]


async def test_each_question_is_one_hop() -> None:
    """The client's call, the packets on the way and the server's call stand together, each with the question that it was."""
    for name in ("metaflow_collector_ebpf", "metaflow_collector_cbpf", "metaflow_parser_dns"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    with dnsmasq() as port:
        config = {
            "collectors": {
                "ebpf": {"ports": [port], "tls": {"enabled": False}},
                "cbpf": {"interfaces": ["lo"], "filter": f"udp port {port}"},
            },
            "storages": {"memory": {}},
            "pipelines": {"live": {"collectors": ["ebpf", "cbpf"], "parsers": ["dns"], "storages": ["memory"]}},
        }
        app = mf.App(config, autoload=True)
        try:
            async with app:
                unit = app._runtime.generation.unit(Kind.STORAGE, mf.ComponentId("memory"))
                storage: Any = unit.component
                await asyncio.to_thread(
                    subprocess.run, [sys.executable, "-c", CLIENT, str(port)], check=True, timeout=60
                )
                deadline = time.monotonic() + 30
                # 14 questions at three places
                while len(spans := await questions(storage)) < 42 and time.monotonic() < deadline:
                    await asyncio.sleep(0.2)
        except mf.UnavailableError as error:
            pytest.skip(f"no kernel collector here: {error}")
        assert len(spans) == 42
        tracer = Tracer(load_catalog(), load_rules(), Limits())
        for span in spans:
            answer = await tracer.trace(storage, span.row_id)
            assert answer is not None
            mine = next(
                node.hop
                for node in answer.trace.nodes
                if node.span.row_id == span.row_id and node.span.point == span.point
            )
            hop = [node.span for node in answer.trace.nodes if node.hop == mine]
            assert [each.point for each in hop] == ["c-p", "rest", "s-p"]
            # of what was asked twice with one id, each sighting is of the same time
            assert hop[0].start_us <= hop[1].start_us + 2000
            assert hop[2].start_us - hop[0].start_us < 250_000
