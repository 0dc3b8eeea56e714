"""A live capture into the native engine in a process of its own; prints a line of JSON. Started by ``bench.live``.

``_live_run.py INTERFACE PROTOCOL``: prints ``ready``, captures until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import pyarrow as pa
from metaflow_collector_cbpf.collector import CbpfCollector
from metaflow_collector_cbpf.config import CbpfConfig

from bench._engine_run import BATCH_ROWS, engine_for, peak_mib
from metaflow_core.api import BuildContext, Kind, PacketBlock
from metaflow_core.testing import build_context


def counted(context: BuildContext) -> dict[str, int]:
    """Everything the collector counted, as ``stage/reason/unit`` to number."""
    return {f"{each.stage}/{each.reason}/{each.unit}": each.value for each in context.counters.samples()}


async def capture(interface: str, protocol: str) -> dict[str, object]:
    """Capture and analyse; what was seen."""
    engine = engine_for("native", protocol, {})
    context = build_context(Kind.COLLECTOR, "cbpf")
    collector = CbpfCollector(context, CbpfConfig(interfaces=(interface,), ring_mib=256))
    seen = {"packets": 0, "exchanges": 0}

    def take(at_least: int) -> None:
        for name, rows in engine.tables(at_least):
            if name == "l7_flow_log":
                column: pa.Array = rows.column("response_duration")
                seen["exchanges"] += len(column) - column.null_count

    async def emit(block: object) -> None:
        assert isinstance(block, PacketBlock), "this collector captures packets only"
        seen["packets"] += engine.push(block)
        take(BATCH_ROWS)

    await collector.start()
    running = asyncio.create_task(collector.run(emit))
    before = time.process_time()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.sleep(0.5)  # the last block is retired, the counters are read once more
    await collector.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    engine.finish()
    take(1)
    return {
        **seen, "cpu_s": time.process_time() - before, "rss_mib": peak_mib(), "counters": counted(context),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(capture(*sys.argv[1:3]))))
