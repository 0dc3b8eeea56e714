"""Traces: how long one of many rows takes to find and put together; links right and wrong, of made rows and of real programs."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

START = 1_795_240_000
SERVICES = 40


def noise(rows: int, seed: int, rows_per_second: int) -> pa.RecordBatch:
    """Exchanges of other traces, as many a second as a busy store gets: every linking column is filled."""
    rng = np.random.default_rng(seed)
    first = seed * rows / rows_per_second
    moment = START * 1_000_000 + ((first + np.sort(rng.random(rows)) * rows / rows_per_second) * 1e6).astype(np.int64)
    took = rng.integers(100, 50_000, rows)
    traces = rng.integers(0, 2**62, rows // 4 + 1)
    which = rng.integers(0, len(traces), rows)
    protocols = pa.DictionaryArray.from_arrays(
        pa.array(rng.integers(0, 4, rows), pa.int32()), pa.array(["c", "s", "c-p", "s-p"])
    )
    return pa.RecordBatch.from_pydict(
        {
            "start_time": pa.array(moment, pa.timestamp("us", "UTC")),
            "end_time": pa.array(moment + took, pa.timestamp("us", "UTC")),
            "time": pa.array((moment + took) // 1_000_000, pa.timestamp("s", "UTC")),
            "flow_id": pa.array(rng.integers(1, 2**63, rows), pa.uint64()),
            "is_ipv4": pa.array(np.ones(rows, bool)),
            "ip4_0": pa.array(0x0A000000 + rng.integers(1, SERVICES, rows), pa.uint32()),
            "ip4_1": pa.array(0x0A000000 + rng.integers(1, SERVICES, rows), pa.uint32()),
            "client_port": pa.array(rng.integers(30_000, 60_000, rows), pa.uint16()),
            "server_port": pa.array(rng.integers(8000, 8010, rows), pa.uint16()),
            "protocol": pa.array(np.full(rows, 6), pa.uint8()),
            "l7_protocol": pa.array(rng.choice([20, 60, 80], rows), pa.uint8()),
            "type": pa.array(np.full(rows, 2), pa.uint8()),
            "agent_id": pa.array(rng.integers(1, SERVICES, rows), pa.uint16()),
            "observation_point": protocols,
            "req_tcp_seq": pa.array(rng.integers(1, 2**32, rows), pa.uint32()),
            "resp_tcp_seq": pa.array(rng.integers(1, 2**32, rows), pa.uint32()),
            "syscall_trace_id_request": pa.array(rng.integers(1, 2**62, rows), pa.uint64()),
            "syscall_trace_id_response": pa.array(rng.integers(1, 2**62, rows), pa.uint64()),
            "trace_id": pa.array([f"{traces[value]:032x}" for value in which]),
            "span_id": pa.array([f"{value:016x}" for value in rng.integers(0, 2**62, rows)]),
            "x_request_id_0": pa.array([f"r{value:x}" for value in rng.integers(0, 2**62, rows)]),
            "request_resource": pa.array([f"/api/v1/orders/{value}" for value in rng.integers(0, 100_000, rows)]),
            "response_duration": pa.array(took, pa.uint64()),
        }
    )


def trace(calls: int, at_us: int, name: str, *, is_named: bool) -> list[dict[str, Any]]:
    """The rows of one trace: a service calls others, each seen by four rows; linked by threads, and by headers when it is named.

    The parent of call ``n`` is call ``(n - 1) // 3``; ``endpoint`` says which call a row is of.
    """
    rows: list[dict[str, Any]] = []
    depth = 1
    while 3**depth < calls:
        depth += 1
    # each level has a quarter of the time of the one above
    spans = {0: (at_us, at_us + max(1_000_000, 400 * 4**depth))}
    threads: dict[int, list[int]] = {}
    for call in range(calls):
        above = (call - 1) // 3
        if call:
            begin, end = spans[above]
            step = (end - begin) // 4
            offset = step * ((call - 1) % 3)
            spans[call] = (begin + offset + step // 4 + 2, begin + offset + step)
        threads[call] = [call * 10 + 1 + (zlib.crc32(name.encode()) & 0xFFFF) * 1_000_000]
    for call in range(calls):
        above = (call - 1) // 3
        asked = threads[above][-1] if call else 0
        answered = asked + 1
        if call:
            threads[above].append(answered)
        rows += _seen(call, spans[call], name if is_named else "", asked, answered if call else 0, above)
    by_call = {call: (numbers[0], numbers[-1]) for call, numbers in threads.items()}
    for row in rows:
        if row["observation_point"] == "s-p":
            row["syscall_trace_id_request"], row["syscall_trace_id_response"] = by_call[int(row["endpoint"][1:])]
    return rows


def _seen(call: int, span: tuple[int, int], name: str, asked: int, answered: int, above: int) -> list[dict[str, Any]]:
    # each trace has addresses, connections and flows of its own
    base = 0x0B000000 if name else 0x0C000000
    client, server = (above % SERVICES) + 1 if call else 0, (call % SERVICES) + 1
    found = []
    for at, point in enumerate(("c-p", "c", "s", "s-p")):
        agent = client if at < 2 else server
        if agent == 0:
            continue
        found.append(
            {
                "start_time": span[0] + at, "end_time": max(span[0] + at, span[1] - at), "flow_id": base * 2**32 + (call + 1) * 8 + at, "is_ipv4": True,
                "ip4_0": base + client, "ip4_1": base + server, "client_port": 30_000 + call % 30_000, "server_port": 80,
                "protocol": 6, "l7_protocol": 20, "type": 2, "agent_id": 1000 + agent, "observation_point": point,
                "req_tcp_seq": (call * 7919 + base) % 2**32, "resp_tcp_seq": (call * 104_729 + base * 3) % 2**32, "endpoint": f"/{call}",
                "syscall_trace_id_request": asked if point == "c-p" else 0, "syscall_trace_id_response": answered if point == "c-p" else 0,
                "process_id_0": agent if point == "c-p" else 0, "process_id_1": agent if point == "s-p" else 0, "trace_id": name,
                "span_id": f"{call + 1:016x}" if name else "", "parent_span_id": f"{above + 1:016x}" if name and call else "",
                "response_duration": span[1] - span[0],
            }
        )  # fmt: skip
    return found


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """As an engine hands rows over."""
    from metaflow_core.model.catalog import load_catalog
    from metaflow_core.model.catalog.arrow import arrow_schema

    schema = arrow_schema(load_catalog().table("l7_flow_log"))
    columns: dict[str, Any] = {}
    for name in rows[0]:
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        values = [row[name] for row in rows]
        columns[name] = (
            pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
        )
    columns["time"] = pa.array([row["end_time"] // 1_000_000 for row in rows], pa.int64()).cast(
        pa.timestamp("s", "UTC")
    )
    return pa.RecordBatch.from_pydict(columns)


def judged(found: Any) -> tuple[int, int]:
    """Links between calls that are right, and wrong."""
    right = wrong = 0
    for node in found.nodes:
        if node.parent is not None and found.nodes[node.parent].hop != node.hop:
            call, said = (int(each.span["endpoint"][1:]) for each in (node, found.nodes[node.parent]))
            right += said == (call - 1) // 3
            wrong += said != (call - 1) // 3
    return right, wrong


async def stored(directory: Path, rows: int, rows_per_second: int) -> dict[str, float]:
    """One trace of 30 calls out of many rows, by its id and by a row of one that has no id."""
    from metaflow_storage_clickhouse.config import ClickHouseConfig
    from metaflow_storage_clickhouse.storage import ClickHouseStorage
    from metaflow_tracing.gather.limits import Limits
    from metaflow_tracing.rules.load import load_rules
    from metaflow_tracing.tracer import Tracer

    from bench.storage import cpu
    from metaflow_core.api import Kind, RecordBatch
    from metaflow_core.testing import build_context

    context = build_context(Kind.STORAGE, "bench", data_dir=directory)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(max_memory=4 << 30, retention="forever"))
    await storage.start()
    size = 100_000
    for number in range(rows // size):
        await storage.write(RecordBatch("flow_log.l7_flow_log", noise(size, number, rows_per_second), f"n{number}"))
    middle = (START + rows // rows_per_second // 2) * 1_000_000
    name = "5" * 32
    await storage.write(RecordBatch("flow_log.l7_flow_log", batch(trace(30, middle, name, is_named=True)), "named"))
    silent = batch(trace(30, middle + 3_000_000, "silent", is_named=False))
    await storage.write(RecordBatch("flow_log.l7_flow_log", silent, "silent"))
    tracer = Tracer(context.catalog, load_rules(), Limits())
    start = middle + 3_000_000
    out: dict[str, float] = {"rows": rows, "rows_per_second": rows_per_second}
    for what, asked in (("by_trace_id", name), ("by_row", f"{0x0C000000 * 2**32 + 10}.{start + 2}.0")):
        times, busy = [], []
        for _ in range(7):
            begun, used = time.perf_counter(), cpu()
            answer = await tracer.trace(storage, asked)
            times.append((time.perf_counter() - begun) * 1000)
            busy.append((cpu() - used) * 1000)
        assert answer is not None
        right, wrong = judged(answer.trace)
        out |= {
            f"{what}_ms": sorted(times)[3], f"{what}_cpu_ms": sorted(busy)[3], f"{what}_first_ms": times[0], f"{what}_plans": answer.plans, f"{what}_rows": len(answer.trace.nodes),
            f"{what}_right": right, f"{what}_wrong": wrong,
        }  # fmt: skip
    await storage.stop()
    return out


def assembled(calls: int, *, is_named: bool) -> dict[str, float]:
    """The time of assembly alone."""
    from metaflow_tracing.assembly.assemble import assemble
    from metaflow_tracing.rules.load import load_rules
    from metaflow_tracing.spans import spans_of

    from metaflow_core.model.catalog import load_catalog
    from metaflow_core.model.catalog.conform import conform

    data = conform(
        batch(trace(calls, START * 1_000_000, "t" * 32, is_named=is_named)),
        load_catalog().table("l7_flow_log"),
        fill=True,
    )
    table = pa.Table.from_batches([data])
    begun = time.process_time()
    found = assemble(spans_of(table), load_rules())
    took = time.process_time() - begun
    right, wrong = judged(found)
    return {
        "rows": table.num_rows,
        "cpu_s": took,
        "us_per_row": took / table.num_rows * 1e6,
        "right": right,
        "wrong": wrong,
        "calls": calls - 1,
    }


def programs(only: str) -> list[dict[str, Any]]:
    """Real programs under the kernel collector, each link against what they wrote down themselves; told as they come."""
    from bench._traced import run_all

    found: list[dict[str, Any]] = []
    for scenario, result in run_all(only):
        found.append(result | {"must_all_be_there": scenario.certain})
        verdict = "wrong" if result["wrong"] or (scenario.certain and result["none"]) else "as it must be"
        print(
            f"  {scenario.name:<32} calls {result['calls']:5}  right {result['right']:5}  wrong {result['wrong']:3}  not linked {result['none']:5}  "
            f"ends joined {result['joined']:5} of {result['joined'] + result['split']:5}  {verdict}",
            file=sys.stderr,
            flush=True,
        )
    return found


def main(arguments: list[str]) -> int:
    """Print the numbers; ``--json`` for machines; ``--rows N`` for another size than a million; ``--rate N`` rows a second; ``--programs
    [PART OF A NAME]`` for real programs alone, which needs root.
    """
    from bench.machine import machine

    def number(name: str, default: int) -> int:
        return int(arguments[arguments.index(name) + 1]) if name in arguments else default

    rows, rate = number("--rows", 1_000_000), number("--rate", 3_000)
    if "--json" not in arguments:
        print(machine())
    if "--programs" in arguments:
        rest = [word for word in arguments[arguments.index("--programs") + 1 :] if not word.startswith("--")]
        real = programs(" ".join(rest))
        if "--json" in arguments:
            print(json.dumps({"machine": machine(), "programs": real}, indent=2))
        return int(any(each["wrong"] or (each["must_all_be_there"] and each["none"]) for each in real))
    with tempfile.TemporaryDirectory() as name:
        one = asyncio.run(stored(Path(name), rows, rate))
    alone = [assembled(calls, is_named=is_named) for calls in (250, 2_500, 25_000) for is_named in (False, True)]
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "stored": one, "assembly": alone}, indent=2))
        return 0
    print("One trace of 30 calls (118 rows) out of a ClickHouse store (chDB), everything included:")
    for what, value in one.items():
        print(f"  {what:<24} {value:12,.1f}")
    print("Assembly alone, by threads (first) and by headers (second) of each size:")
    for each in alone:
        print("  " + "  ".join(f"{what} {value:,.1f}" for what, value in each.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
