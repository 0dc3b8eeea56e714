"""A fixed set of questions over many rows of the request log, through the dialect and beside ClickHouse's own SQL written by hand."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.storage import START, cpu, wide_batch

QUESTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "list of services",
        "SELECT auto_service_1, Sum(request) AS n, Sum(error) AS e, Avg(rrt) AS d FROM l7_flow_log GROUP BY auto_service_1 ORDER BY n DESC LIMIT 100",
        # The dialect's requests and errors are counts of kinds and states of rows; the same, by hand.
        (
            "SELECT s, sum(n) AS n, sum(e) AS e, sum(d) / sum(c) AS d FROM (SELECT auto_service_id_1, auto_service_type_1, countIf(type IN (0, 2)) AS n, "
            "countIf(response_status IN (3, 4)) AS e, sum(response_duration) AS d, countIf(response_duration > 0) AS c, "
            "dictGetOrDefault('flow_tag.device', 'name', toUInt64(auto_service_id_1), toInt64(1795240000), toString(auto_service_id_1)) AS s "
            "FROM flow_log.l7_flow_log GROUP BY auto_service_id_1, auto_service_type_1) GROUP BY s ORDER BY n DESC LIMIT 100"
        ),
    ),
    (
        "top endpoints",
        "SELECT endpoint, Sum(request) AS n, Avg(rrt) AS d FROM l7_flow_log GROUP BY endpoint ORDER BY n DESC LIMIT 10",
        (
            "SELECT endpoint, countIf(type IN (0, 2)) AS n, sum(response_duration) / countIf(response_duration > 0) AS d "
            "FROM flow_log.l7_flow_log GROUP BY endpoint ORDER BY n DESC LIMIT 10"
        ),
    ),
    (
        "errors by minute",
        "SELECT time(time, 60) AS t, Sum(error) AS e FROM l7_flow_log GROUP BY t ORDER BY t LIMIT 1000",
        "SELECT intDiv(toUnixTimestamp(time), 60) * 60 AS t, countIf(response_status IN (3, 4)) AS e FROM flow_log.l7_flow_log GROUP BY t ORDER BY t LIMIT 1000",
    ),
    (
        "slowest of one endpoint",
        "SELECT endpoint, response_duration, trace_id FROM l7_flow_log WHERE endpoint = 'endpoint-7' ORDER BY response_duration DESC LIMIT 20",
        "SELECT endpoint, response_duration, trace_id FROM flow_log.l7_flow_log WHERE endpoint = 'endpoint-7' ORDER BY response_duration DESC LIMIT 20",
    ),
    (
        "one trace",
        "SELECT endpoint, response_duration FROM l7_flow_log WHERE trace_id = '{trace}' LIMIT 100",
        "SELECT endpoint, response_duration FROM flow_log.l7_flow_log WHERE trace_id = '{trace}' LIMIT 100",
    ),
    (
        "ninety-fifth percentile by endpoint",
        "SELECT endpoint, Percentile(rrt, 95) AS p FROM l7_flow_log GROUP BY endpoint ORDER BY p DESC LIMIT 40",
        "SELECT endpoint, quantile(0.95)(response_duration) AS p FROM flow_log.l7_flow_log WHERE response_duration > 0 GROUP BY endpoint ORDER BY p DESC LIMIT 40",
    ),
    (
        "clients of a server port",
        "SELECT pod_0, Sum(request) AS n FROM l7_flow_log WHERE server_port = 8003 GROUP BY pod_0 ORDER BY n DESC LIMIT 20",
        (
            "SELECT p, sum(n) AS n FROM (SELECT pod_id_0, countIf(type IN (0, 2)) AS n, dictGetOrDefault('flow_tag.pod', 'name', toUInt64(pod_id_0), "
            "toInt64(1795240000), toString(pod_id_0)) AS p FROM flow_log.l7_flow_log WHERE server_port = 8003 GROUP BY pod_id_0) GROUP BY p ORDER BY n DESC LIMIT 20"
        ),
    ),
)  # fmt: skip


def shifted(batch: pa.RecordBatch, seconds: int) -> pa.RecordBatch:
    """The same rows some seconds later."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, scale in (("start_time", 1_000_000), ("end_time", 1_000_000), ("time", 1)):
        moved = columns[name].cast(pa.int64()).to_numpy() + seconds * scale
        columns[name] = pa.array(moved).cast(columns[name].type)
    columns["_id"] = pa.array(columns["_id"].to_numpy() + np.uint64(seconds << 32))
    columns["type"] = pa.array(np.full(batch.num_rows, 2), pa.uint8())
    return pa.RecordBatch.from_pydict(columns)


def _same(mine: pa.Table, hand: pa.Table) -> bool:
    """Both have the same number of rows, and the same counts in them."""
    counts = [
        sorted(each.column(name).to_pylist())
        for each in (mine, hand)
        for name in ("n", "e")
        if name in each.column_names
    ]
    half = len(counts) // 2
    return mine.num_rows == hand.num_rows and counts[:half] == counts[half:]


async def run(directory: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Loads, merges, asks."""
    from metaflow_dialect_sql.dialect import SqlDialect
    from metaflow_storage_clickhouse.config import ClickHouseConfig
    from metaflow_storage_clickhouse.storage import ClickHouseStorage

    from metaflow_core.api import Kind, QueryRequest, RecordBatch
    from metaflow_core.testing import build_context

    context = build_context(Kind.STORAGE, "bench", data_dir=directory)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(max_memory=6 << 30, retention="forever"))
    await storage.start()
    for dictionary, count in (("device", 3000), ("pod", 2000)):
        await storage.learn(dictionary, {number: f"{dictionary}-{number // 2}" for number in range(1, count)})
    held = await storage.execute_sql("SELECT count() AS n FROM flow_log.l7_flow_log")
    made = [wide_batch(100_000, seed) for seed in range(min(10, max(1, rows // 100_000)))]
    busy, wall = cpu(), time.perf_counter()
    total = int(held.column("n")[0].as_py()) if held.num_rows else 0
    while total < rows:
        number = total // 100_000
        await storage.write(
            RecordBatch("flow_log.l7_flow_log", shifted(made[number % len(made)], number), f"b{number}")
        )
        total += 100_000
    out: dict[str, Any] = {
        "rows": total,
        "load_cpu_s": cpu() - busy,
        "load_wall_s": time.perf_counter() - wall,
        "questions": {},
    }
    trace = str(made[0].column("trace_id")[7])
    dialect = SqlDialect(context.catalog)

    async def timed(*ways: Any) -> list[tuple[float, float, Any]]:
        """The ways in turn, so that what else the machine does falls on each; of the processor's time the least disturbed round counts."""
        walls: list[list[float]] = [[] for _ in ways]
        cpus: list[list[float]] = [[] for _ in ways]
        found: list[Any] = [None for _ in ways]
        for _ in range(rounds):
            for way, ask in enumerate(ways):
                busy, begun = cpu(), time.perf_counter()
                found[way] = await ask()
                walls[way].append((time.perf_counter() - begun) * 1000)
                cpus[way].append((cpu() - busy) * 1000)
        return [(sorted(walls[way])[rounds // 2], min(cpus[way]), found[way]) for way in range(len(ways))]

    for name, ours, theirs in QUESTIONS:
        asked, written = ours.replace("{trace}", trace), theirs.replace("{trace}", trace)
        mine, hand = await timed(
            lambda asked=asked: dialect.query(QueryRequest(text=asked), storage),
            lambda written=written: storage.execute_sql(written),
        )
        out["questions"][name] = {
            "ms": mine[0], "by_hand_ms": hand[0], "factor": mine[0] / hand[0],
            "cpu_ms": mine[1], "by_hand_cpu_ms": hand[1], "cpu_factor": mine[1] / max(hand[1], 1e-9),
            "rows": mine[2].table.num_rows, "same": _same(mine[2].table, hand[2]),
        }  # fmt: skip
    health = await storage.health()
    out["bytes_per_row"] = health["tables"]["flow_log.l7_flow_log"]["bytes"] / total
    out["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    await storage.stop()
    return out


def main(arguments: list[str]) -> int:
    """``--rows N`` (default 10 million), ``--rounds N`` (default 5), ``--at DIR`` (kept, and loaded once only), ``--json``."""
    from bench.machine import machine

    rows = int(arguments[arguments.index("--rows") + 1]) if "--rows" in arguments else 10_000_000
    rounds = int(arguments[arguments.index("--rounds") + 1]) if "--rounds" in arguments else 5
    with tempfile.TemporaryDirectory() as name:
        place = Path(arguments[arguments.index("--at") + 1]) if "--at" in arguments else Path(name)
        found = asyncio.run(run(place, rows, rounds))
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), **found}, indent=2))
        return 0
    print(machine())
    print(
        f"{found['rows']:,} rows loaded in {found['load_wall_s']:.0f} s ({found['load_cpu_s']:.0f} s of CPU), "
        f"{found['bytes_per_row']:.0f} B a row, peak {found['peak_mib']} MiB; START {START}"
    )
    for name, each in found["questions"].items():
        print(
            f"  {name:<38} {each['ms']:8.0f} ms  by hand {each['by_hand_ms']:8.0f} ms  {each['factor']:5.2f}x   "
            f"CPU {each['cpu_ms']:7.0f} / {each['by_hand_cpu_ms']:7.0f} ms {each['cpu_factor']:5.2f}x{'' if each['same'] else '  ANSWERS DIFFER'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
