"""The ClickHouse storage: wide rows a core end to end, and SmartEncoding against plain String and LowCardinality."""

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

START = 1_795_240_000
TAGS = ("region", "az", "host", "vpc", "subnet", "cluster", "ns", "node", "group", "service", "team", "app", "version", "env",
        "owner", "tier", "zone", "chart", "release", "image")  # fmt: skip


def cpu() -> float:
    """CPU seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def wide_batch(rows: int, seed: int) -> pa.RecordBatch:
    """Exchanges as an engine and a tagger hand them over: about half of the columns of ``flow_log.l7_flow_log``."""
    rng = np.random.default_rng(seed)
    moment = (START + seed) * 1_000_000 + np.sort(rng.integers(0, 1_000_000, rows))
    columns: dict[str, Any] = {
        "start_time": pa.array(moment, pa.timestamp("us", "UTC")),
        "end_time": pa.array(moment + rng.integers(100, 50_000, rows), pa.timestamp("us", "UTC")),
        "time": pa.array(np.full(rows, START + seed), pa.timestamp("s", "UTC")),
        "flow_id": pa.array(rng.integers(1, 2**63, rows), pa.uint64()),
        "_id": pa.array(np.arange(rows) + seed * rows, pa.uint64()),
        "response_duration": pa.array(rng.integers(100, 50_000, rows), pa.uint64()),
        "request_length": pa.array(rng.integers(50, 900, rows), pa.uint64()),
        "response_length": pa.array(rng.integers(50, 9000, rows), pa.uint64()),
        "response_code": pa.array(rng.choice([200, 404, 500], rows, p=[0.95, 0.03, 0.02]), pa.int32()),
        "is_ipv4": pa.array(np.ones(rows, bool)),
        "trace_id": pa.array([f"{value:032x}" for value in rng.integers(0, 2**62, rows)]),
        "span_id": pa.array([f"{value:016x}" for value in rng.integers(0, 2**62, rows)]),
        "request_resource": pa.array([f"/api/v1/orders/{value}" for value in rng.integers(0, 100_000, rows)]),
        "server_port": pa.array(rng.integers(8000, 8010, rows), pa.uint16()),
        "client_port": pa.array(rng.integers(30_000, 60_000, rows), pa.uint16()),
    }
    for name, size in (("endpoint", 40), ("request_domain", 20), ("request_type", 5), ("app_service", 30)):
        values = pa.array([f"{name}-{number}" for number in range(size)])
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, size, rows), pa.int32()), values)
    ids = {"region_id": 3, "az_id": 9, "host_id": 50, "l3_device_id": 100, "pod_node_id": 100, "pod_ns_id": 20, "pod_group_id": 200,
           "pod_id": 2000, "pod_cluster_id": 3, "subnet_id": 40, "service_id": 200, "gprocess_id": 3000, "auto_instance_id": 2000,
           "auto_service_id": 200, "l3_device_type": 2, "auto_instance_type": 11, "auto_service_type": 12, "tag_source": 4}  # fmt: skip
    narrow = {"region_id", "az_id", "host_id", "pod_ns_id", "pod_cluster_id", "subnet_id"}
    tiny = {"l3_device_type", "auto_instance_type", "auto_service_type", "tag_source"}
    for end in (0, 1):
        pods = rng.zipf(1.3, rows) % 2000
        columns[f"ip4_{end}"] = pa.array(0x0A000000 + pods, pa.uint32())
        columns[f"l3_epc_id_{end}"] = pa.array(np.full(rows, 7), pa.int32())
        for name, size in ids.items():
            type_ = pa.uint8() if name in tiny else pa.uint16() if name in narrow else pa.uint32()
            columns[f"{name}_{end}"] = pa.array(pods % size, type_)
    return pa.RecordBatch.from_pydict(columns)


async def wide(directory: Path, batches: int, rows: int) -> dict[str, float]:
    """Rows a second of CPU: writing through the storage, everything included; then two queries."""
    from metaflow_storage_clickhouse.config import ClickHouseConfig
    from metaflow_storage_clickhouse.storage import ClickHouseStorage

    from metaflow_core.api import Kind, RecordBatch
    from metaflow_core.model.expression import Ref
    from metaflow_core.query import Aggregate, Limit, Measure, Named, Scan, Sort, SortKey
    from metaflow_core.testing import build_context

    made = [wide_batch(rows, seed) for seed in range(batches)]
    context = build_context(Kind.STORAGE, "bench", data_dir=directory)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(max_memory=4 << 30))
    await storage.start()
    await storage.write(RecordBatch("flow_log.l7_flow_log", wide_batch(1000, batches), "warm"))
    wall, busy = time.perf_counter(), cpu()
    for number, each in enumerate(made):
        await storage.write(RecordBatch("flow_log.l7_flow_log", each, f"b{number}"))
    busy, wall = cpu() - busy, time.perf_counter() - wall
    total = batches * rows
    health = await storage.health()
    size = health["tables"]["flow_log.l7_flow_log"]["bytes"]
    out = {
        "columns": made[0].num_columns,
        "rows": total,
        "rows_per_cpu_s": total / busy,
        "rows_per_wall_s": total / wall,
        "bytes_per_row_before_merging": size / total,
    }
    scan = Scan("l7_flow_log")
    top = Limit(
        Sort(
            Aggregate(
                scan,
                (Named("endpoint", Ref("endpoint")),),
                (Measure("n", "Sum", (Ref("request"),)), Measure("rrt", "Avg", (Ref("rrt"),))),
            ),
            (SortKey("n", True),),
        ),
        10,
    )
    await storage.learn("service", {number: f"service-{number // 2}" for number in range(1, 200)})
    services = Aggregate(scan, (Named("service", Ref("service_1")),), (Measure("n", "Sum", (Ref("request"),)),))
    for name, plan in (("top_endpoints_ms", top), ("list_of_services_ms", services)):
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            await storage.execute(plan)
            times.append((time.perf_counter() - begun) * 1000)
        out[name] = sorted(times)[2]
    await storage.stop()
    return out


def smart(directory: Path, rows: int, pods: int) -> dict[str, dict[str, float]]:
    """Twenty tags of a pod as texts, as LowCardinality texts, and as one id with a dictionary; encoding, insert, disk, a query."""
    from metaflow_storage_clickhouse.engines.base import Insert
    from metaflow_storage_clickhouse.engines.embedded import EmbeddedEngine
    from metaflow_storage_clickhouse.native import encode_block

    engine = EmbeddedEngine(directory / "smart", 4 << 30)
    engine.open()
    engine.command("CREATE DATABASE smart")
    rng = np.random.default_rng(1)
    who = (rng.zipf(1.2, rows) % pods).astype(np.int64)
    sizes = [
        3,
        9,
        max(1, pods // 20),
        5,
        40,
        3,
        20,
        max(1, pods // 20),
        max(1, pods // 10),
        max(1, pods // 10),
        12,
        60,
        30,
        4,
        50,
        3,
        3,
        60,
        90,
        120,
    ]
    names = [
        pa.array([f"{tag}-{value % size}.production.example" for value in range(pods)])
        for tag, size in zip(TAGS, sizes, strict=True)
    ]
    moments = pa.array(START + np.arange(rows) // 1000, pa.timestamp("s", "UTC"))
    value = pa.array(rng.integers(0, 1000, rows), pa.uint32())
    variants = {
        "String": "String",
        "LowCardinality": "LowCardinality(String)",
        "id": "UInt16" if pods <= 65_535 else "UInt32",
    }
    engine.command(
        "CREATE TABLE smart.names (id UInt64, "
        + ", ".join(f"{tag} String" for tag in TAGS)
        + ") ENGINE = MergeTree ORDER BY id"
    )
    listed = [
        ("id", "UInt64", pa.array(range(pods), pa.uint64())),
        *((tag, "String", column) for tag, column in zip(TAGS, names, strict=True)),
    ]
    engine.insert(Insert("smart.names", [name for name, _, _ in listed], [[encode_block(listed, pods)]]))
    engine.command(
        "CREATE DICTIONARY smart.pods (id UInt64, "
        + ", ".join(f"{tag} String" for tag in TAGS)
        + ") PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'names' DB 'smart')) LAYOUT(FLAT(MAX_ARRAY_SIZE 1000000)) LIFETIME(0)"
    )
    engine.command("SYSTEM RELOAD DICTIONARY smart.pods")
    out: dict[str, dict[str, float]] = {}
    for variant, type_ in variants.items():
        own = ["pod"] if variant == "id" else list(TAGS)
        columns = ", ".join(f"{name} {type_} CODEC(ZSTD(1))" for name in own)
        engine.command(
            f"CREATE TABLE smart.`{variant}` (time DateTime('UTC') CODEC(ZSTD(1)), value UInt32 CODEC(ZSTD(1)), {columns}) ENGINE = MergeTree ORDER BY time"
        )
        encode = insert = sent = 0.0
        for start in range(0, rows, 100_000):
            part = slice(start, min(start + 100_000, rows))
            busy = cpu()
            held: list[tuple[str, str, pa.Array]] = [
                ("time", "DateTime('UTC')", moments[part]),
                ("value", "UInt32", value[part]),
            ]
            index = pa.array(who[part], pa.int32())
            if variant == "id":
                held.append(("pod", type_, pa.array(who[part].astype(np.uint16 if pods <= 65_535 else np.uint32))))
            elif variant == "String":
                held += [(tag, type_, column.take(index)) for tag, column in zip(TAGS, names, strict=True)]
            else:
                held += [
                    (tag, type_, pa.DictionaryArray.from_arrays(*_coded(column, index)))
                    for tag, column in zip(TAGS, names, strict=True)
                ]
            block = encode_block(held, len(index))
            encode += cpu() - busy
            sent += len(block)
            busy = cpu()
            engine.insert(Insert(f"smart.`{variant}`", [name for name, _, _ in held], [[block]]))
            insert += cpu() - busy
        busy = cpu()
        engine.command(f"OPTIMIZE TABLE smart.`{variant}` FINAL")
        merge = cpu() - busy
        (size,) = engine.query(
            f"SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND database = 'smart' AND `table` = '{variant}'"
        ).to_pylist()
        if variant == "id":
            question = "SELECT dictGet('smart.pods', 'service', toUInt64(pod)) AS s, dictGet('smart.pods', 'team', toUInt64(pod)) AS t, sum(n) FROM (SELECT pod, sum(value) AS n FROM smart.id GROUP BY pod) GROUP BY s, t"
        else:
            question = f"SELECT service AS s, team AS t, sum(value) FROM smart.`{variant}` GROUP BY s, t"
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            engine.query(question)
            times.append((time.perf_counter() - begun) * 1000)
        out[variant] = {
            "cpu_us_per_row": (encode + insert + merge) / rows * 1e6,
            "wire_bytes_per_row": sent / rows,
            "disk_bytes_per_row": size["b"] / rows,
            "group_by_two_tags_ms": sorted(times)[2],
        }
    engine.close()
    return out


def _coded(column: pa.Array, index: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Indices into the different values of a column, through the row's pod."""
    encoded = column.dictionary_encode()
    return encoded.indices.take(index), encoded.dictionary


def main(arguments: list[str]) -> int:
    """Print the numbers; ``--json`` for machines; ``--rows N`` for more than half a million."""
    from bench.machine import machine

    rows = int(arguments[arguments.index("--rows") + 1]) if "--rows" in arguments else 500_000
    with tempfile.TemporaryDirectory() as name:
        end_to_end = asyncio.run(wide(Path(name), max(1, rows // 100_000), 100_000))
    encoding = {}
    for pods in (2_000, 50_000):
        with tempfile.TemporaryDirectory() as name:
            encoding[pods] = smart(Path(name), rows, pods)
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "wide": end_to_end, "smart_encoding": encoding}, indent=2))
        return 0
    print(machine())
    print("flow_log.l7_flow_log, rows of its columns: conform + encode + insert + merges while inserting:")
    for what, number in end_to_end.items():
        print(f"  {what:<30} {number:12,.1f}")
    for pods, variants in encoding.items():
        print(
            f"20 tags of {pods:,} pods, {rows:,} rows, ZSTD(1), encode + insert + merge; factor is that variant divided by one id a row:"
        )
        for variant, numbers in variants.items():
            factors = "  ".join(
                f"{what} {number:8.2f} ({number / variants['id'][what]:4.1f}x)" for what, number in numbers.items()
            )
            print(f"  {variant:<15} {factors}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
