"""Three tiers and their client on four hosts with clocks of their own: network namespaces behind a bridge. Used by ``bench._traced``.

Each host's rows are those of its own processes (the kernel collector sees every namespace of this machine) and of its own interface
(tcpdump), set to its own clock: what four agents would have sent.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench._traced import TIERS, Stage, judge, python, rows_of, truth_of
from bench.namespaces import Process, run

NAME = "threads on three hosts"
# seconds by which each host's clock is wrong: client, front, middle, back
CLOCKS = (0.0, 0.4, -7.5, 3.25)
SUBNET = "10.81.0"


@contextmanager
def hosts() -> Iterator[list[str]]:
    """Namespaces with an address each, ``SUBNET.1`` and on; their names."""
    prefix = f"mfb{os.getpid() % 10000}"
    names = [f"{prefix}h{number}" for number in range(1, len(CLOCKS) + 1)]
    with ExitStack() as stack:
        run("ip", "link", "add", f"{prefix}b", "type", "bridge")
        stack.callback(run, "ip", "link", "del", f"{prefix}b")
        run("ip", "link", "set", f"{prefix}b", "up")
        for number, name in enumerate(names, start=1):
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
            run("ip", "link", "add", f"{prefix}v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", f"{prefix}v{number}", "master", f"{prefix}b", "up")
            run("ip", "-n", name, "addr", "add", f"{SUBNET}.{number}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", name, "link", "set", "lo", "up")
        yield names


def set_to(table: pa.Table, agents: pa.Array) -> pa.Table:
    """Rows as the agents of these numbers (from 1) would have sent them, each by its clock."""
    for name in ("start_time", "end_time"):
        column = table.column(name)
        wrong = pa.array([round(CLOCKS[agent - 1] * 1e6) for agent in agents.to_pylist()], pa.int64())
        moved = pc.add(column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), wrong)
        table = table.set_column(table.schema.get_field_index(name), name, moved.cast(pa.timestamp("us", "UTC")))
    if "agent_id" in table.schema.names:
        table = table.drop_columns(["agent_id"])
    return table.append_column("agent_id", agents.cast(pa.uint16()))


def whose(table: pa.Table) -> pa.Array:
    """The host of each process row: the client's for ``c-p``, else the server's."""
    points = table.column("observation_point").cast(pa.string())
    address = pc.if_else(pc.equal(points, "c-p"), table.column("ip4_0"), table.column("ip4_1"))
    return pa.array([value & 0xFF for value in address.to_pylist()], pa.uint16())


def run_hosts(clients: int = 32, each: int = 6) -> dict[str, Any]:
    """What was linked right and wrong."""
    from metaflow_tracing.assembly.assemble import assemble_all
    from metaflow_tracing.rules.load import load_rules
    from metaflow_tracing.spans import spans_of

    from metaflow_core import read_pcap

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = Stage(stack, folder)
        names = stack.enter_context(hosts())

        def tier(number: int, *behind: str) -> str:
            words = [
                "ip",
                "netns",
                "exec",
                names[number - 1],
                *python("tier.py", "none", "fresh")(str(stage.truth), *behind),
            ]
            return stage.tier(words, HOST=f"{SUBNET}.{number}")

        with ExitStack() as dumps:
            for number, name in enumerate(names, start=1):
                words = [
                    "ip",
                    "netns",
                    "exec",
                    name,
                    "tcpdump",
                    "-i",
                    "eth0",
                    "--immediate-mode",
                    "-U",
                    "-B",
                    "65536",
                    "-Z",
                    "root",
                ]
                dumps.enter_context(
                    Process([*words, "-w", str(folder / f"{number}.pcap"), "tcp"], ready="listening on")
                )
            back = tier(4)
            middle = tier(3, back)
            front = tier(2, middle, back)
            asking = [
                "ip",
                "netns",
                "exec",
                names[0],
                sys.executable,
                str(TIERS / "ask.py"),
                front,
                str(clients),
                str(each),
                "none",
            ]
            mine = asyncio.run(rows_of(asking, {"ports": stage.ports, "ring_mib": 64, "tls": {"enabled": False}}))
        tables = [set_to(mine, whose(mine))]
        for number in range(1, len(names) + 1):
            seen = read_pcap(folder / f"{number}.pcap").table("l7_flow_log").to_arrow(stored=True)
            tables.append(set_to(seen, pa.array([number] * seen.num_rows, pa.uint16())))
        truth = truth_of(stage.truth)
    spans = [span for table in tables for span in spans_of(table)]
    traces = assemble_all(spans, load_rules())
    found = judge(traces, truth)
    # every call is seen by two processes and two interfaces
    whole = sum(
        len([node for node in trace.nodes if node.hop == hop]) == 4 for trace in traces for hop in {node.hop for node in trace.nodes}
    )  # fmt: skip
    kinds = [node.edge.kind for trace in traces for node in trace.nodes if node.edge]
    told = {"name": NAME, **asdict(found), "hops_seen_at_all_four_places": whole}
    return {**told, "by": {kind: kinds.count(kind) for kind in sorted(set(kinds))}}
