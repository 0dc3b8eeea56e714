"""Labels of Prometheus series: on every row as lists of texts, against once a series and a number on the row."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.storage import cpu

BASE_S = 1_795_240_000
BATCH = 20_000


def batches(series: int, rows: int) -> list[pa.RecordBatch]:
    """Samples of so many series of 8 labels, as a receiver gives them."""
    lists = pa.list_(pa.utf8())
    names = ["cluster", "container", "instance", "job", "namespace", "node", "pod", "service"]
    values = pa.array(
        [
            [f"cluster-{n % 3}", f"container-{n % 12}", f"10.0.{n // 250 % 250}.{n % 250}:9100", f"job-{n % 40}", f"namespace-{n % 25}",
             f"node-{n % 100}.example.internal", f"deployment-{n % 300}-5d8f7c9b4-{n:05x}", f"service-{n % 200}"]
            for n in range(series)
        ],
        lists,
    )  # fmt: skip
    numbers = np.random.default_rng(1).integers(1, 1 << 63, series).astype(np.uint64)
    rng, out = np.random.default_rng(2), []
    for start in range(0, rows, BATCH):
        who = (np.arange(start, min(start + BATCH, rows)) % series).astype(np.int32)
        index = pa.array(who)
        step = np.arange(start, start + len(who)) // series
        metric = pa.DictionaryArray.from_arrays(
            pa.array(who % 20, pa.int32()), pa.array([f"metric_{n}" for n in range(20)])
        )
        out.append(
            pa.RecordBatch.from_pydict(
                {
                    "timestamp": pa.array((BASE_S + step * 15) * 1_000_000).cast(pa.timestamp("us", "UTC")),
                    "metric_name": metric,
                    "label_names": pa.array([names] * len(who), lists),
                    "label_values": values.take(index),
                    "series_id": pa.array(numbers[who]),
                    "value": pa.array(rng.normal(size=len(who)).round(2)),
                }
            )
        )
    return out


async def run(directory: Path, made: list[pa.RecordBatch]) -> dict[str, dict[str, float]]:
    """Both ways in one process and one store, in turns: the old one as a table of the same columns with the lists on the rows."""
    from metaflow_storage_clickhouse.config import ClickHouseConfig
    from metaflow_storage_clickhouse.engines.base import Insert
    from metaflow_storage_clickhouse.native import encode_block
    from metaflow_storage_clickhouse.storage import ClickHouseStorage

    from metaflow_core.api import Kind, RecordBatch
    from metaflow_core.testing import build_context

    context = build_context(Kind.STORAGE, "bench", data_dir=directory)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(retention="forever", linger_ms=0))
    await storage.start()
    engine = storage._engine  # noqa: SLF001 - the baseline is no capability of the product
    kinds = {
        "timestamp": "DateTime64(6, 'UTC')", "metric_name": "LowCardinality(String)", "label_names": "Array(String)",
        "label_values": "Array(String)", "series_id": "UInt64", "value": "Float64",
    }  # fmt: skip
    engine.command("CREATE DATABASE IF NOT EXISTS bench")

    def table(name: str, columns: list[str]) -> None:
        shown = ", ".join(f"{each} {kinds[each]} CODEC(ZSTD(1))" for each in columns)
        engine.command(
            f"CREATE TABLE bench.{name} ({shown}) ENGINE = MergeTree ORDER BY (metric_name, series_id, timestamp)"
        )

    def insert(name: str, batch: pa.RecordBatch) -> None:
        columns = [(each, kinds[each], array) for each, array in zip(batch.schema.names, batch.columns, strict=True)]
        engine.insert(Insert(f"bench.{name}", batch.schema.names, [[encode_block(columns, batch.num_rows)]]))

    from metaflow_storage_clickhouse.series import SeriesBook

    from metaflow_core.model.catalog import load_catalog

    samples = load_catalog().table("prometheus.samples")
    book: SeriesBook = storage._series  # noqa: SLF001
    table("lists", list(kinds))
    table("numbers", [each for each in kinds if not each.startswith("label_")])
    spent = {"lists": 0.0, "numbers": 0.0}
    for each in made:
        busy = cpu()
        insert("lists", each)
        spent["lists"] += cpu() - busy
        busy = cpu()
        insert("numbers", book.take(samples, each))
        spent["numbers"] += cpu() - busy
    await storage.write(RecordBatch("prometheus.samples", made[0], "one"))
    rows = sum(each.num_rows for each in made)
    asked = {
        "lists": "SELECT label_values[indexOf(label_names, 'job')] AS j, count(), max(value) FROM bench.lists WHERE metric_name = 'metric_3' GROUP BY j",
        "numbers": (
            "SELECT JSONExtractString(dictGet('flow_tag.series_label', 'name', s), 'job') AS j, sum(n), max(v) FROM (SELECT series_id AS s, count() AS n, "
            "max(value) AS v FROM bench.numbers WHERE metric_name = 'metric_3' GROUP BY s) GROUP BY j"
        ),
    }
    book.refresh()
    out: dict[str, dict[str, float]] = {}
    for way, question in asked.items():
        engine.command(f"OPTIMIZE TABLE bench.{way} FINAL")
        (size,) = engine.query(
            f"SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND database = 'bench' AND `table` = '{way}'"
        ).to_pylist()
        times = []
        for _ in range(7):
            busy = cpu()
            engine.query(question)
            times.append((cpu() - busy) * 1000)
        out[way] = {
            "insert_cpu_us_per_row": spent[way] / rows * 1e6, "disk_bytes_per_row": size["b"] / rows, "by_job_cpu_ms": sorted(times)[3],
        }  # fmt: skip
    (held,) = engine.query(
        "SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND `table` = 'series_label_rows'"
    ).to_pylist()
    out["numbers"]["dictionary_bytes"] = held["b"]
    await storage.stop()
    return out


def main(arguments: list[str]) -> int:
    """``--rows N`` (default 500,000), ``--series N`` (default 10,000), ``--json``."""
    from bench.machine import machine

    def given(name: str, usual: int) -> int:
        return int(arguments[arguments.index(name) + 1]) if name in arguments else usual

    rows, series = given("--rows", 500_000), given("--series", 10_000)
    with tempfile.TemporaryDirectory() as name:
        found: dict[str, Any] = asyncio.run(run(Path(name), batches(series, rows)))
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "rows": rows, "series": series, **found}, indent=2))
        return 0
    print(machine())
    print(
        f"{rows:,} samples of {series:,} series with 8 labels, ZSTD(1); encode and insert, on disk when merged, one question:"
    )
    for way, numbers in found.items():
        print(f"  {way:<10} " + "  ".join(f"{what} {number:,.2f}" for what, number in numbers.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
