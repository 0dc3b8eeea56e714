"""A process that stores batches and writes down those that were acknowledged, until it is killed: ``python writer_process.py DIR LOG FIRST``.

A batch that was sent but not acknowledged when the process before was killed is sent again first, as a spool does.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pyarrow as pa
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.testing import build_context

TABLE = "flow_metrics.application.1m"
START = 1_700_000_000 // 86400 * 86400


def batch(number: int) -> RecordBatch:
    """Rows that only this number has, over three partitions of twelve hours, each with a request."""
    rows = 50 + number * 37 % 3000
    times = [START + (index * 43_200 * 3 // rows + number) // 60 * 60 for index in range(rows)]
    data = pa.RecordBatch.from_pydict(
        {
            "time": pa.array(times, pa.int64()),
            "pod_id": pa.array([number] * rows, pa.uint32()),
            "gprocess_id": pa.array(range(rows), pa.uint32()),
            "request": pa.array([1] * rows, pa.uint64()),
        }
    )
    return RecordBatch(TABLE, data, f"batch-{number}")


async def main(directory: Path, log: Path, first: int) -> None:
    context = build_context(Kind.STORAGE, "clickhouse", data_dir=directory)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(linger_ms=0, retention="forever"))
    await storage.start()
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, b"ready\n")
    next_number = first

    async def sender() -> None:
        nonlocal next_number
        while True:
            number, next_number = next_number, next_number + 1
            os.write(out, f"sent {number}\n".encode())
            await storage.write(batch(number))
            os.write(out, f"stored {number}\n".encode())
            if random.random() < 0.1:
                # The answer was lost: it is sent again.
                await storage.write(batch(number))

    again = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("sent")]
    kept = {int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("stored")}
    for number in sorted(set(again) - kept):
        await storage.write(batch(number))
        os.write(out, f"stored {number}\n".encode())
    await asyncio.gather(*(sender() for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
