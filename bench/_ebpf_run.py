"""The eBPF collector in a process of its own; prints a line of JSON. Started by ``bench.ebpf``.

``_ebpf_run.py MODE``: ``drain`` hands blocks to nobody, ``engine`` to the native engine. Prints ``ready``, watches until its standard
input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from metaflow_collector_ebpf.collector import EbpfCollector
from metaflow_collector_ebpf.config import EbpfConfig

from bench._engine_run import BATCH_ROWS, engine_for, peak_mib
from metaflow_core.api import Kind, SegmentBlock
from metaflow_core.testing import build_context

_STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


def program_times(programs: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Nanoseconds and runs of each program, as the kernel counts them (kernel.bpf_stats_enabled)."""
    found: dict[str, tuple[int, int]] = {}
    for name, fd in programs.items():
        facts = dict(
            line.split(":\t", 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines() if ":\t" in line
        )
        found[name] = int(facts.get("run_time_ns", 0)), int(facts.get("run_cnt", 0))
    return found


def thread_time(number: int | None) -> float:
    """Seconds of processor time that a thread of this process has used."""
    return int(Path(f"/proc/self/task/{number}/schedstat").read_text().split()[0]) / 1e9


async def watch(mode: str) -> dict[str, object]:
    """Watch; what was seen and what it cost."""
    engine = engine_for("native", "http", {}) if mode == "engine" else None
    context = build_context(Kind.COLLECTOR, "ebpf")
    collector = EbpfCollector(context, EbpfConfig())
    rows = 0

    async def emit(block: object) -> None:
        nonlocal rows
        if engine is not None and isinstance(block, SegmentBlock):
            await asyncio.to_thread(engine.push, block)
            rows += sum(len(table) for name, table in engine.tables(BATCH_ROWS) if name == "l7_flow_log")

    await collector.start()
    running = asyncio.create_task(collector.run(emit))
    await asyncio.sleep(0.3)
    draining = collector._thread  # noqa: SLF001 - what the drain costs, apart from the looks at processes
    assert draining is not None
    before, drained = time.process_time(), thread_time(draining.native_id)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.sleep(0.5)
    used, drain_s = time.process_time() - before, thread_time(draining.native_id) - drained
    session = collector._session  # noqa: SLF001 - the programs have no other way out
    assert session is not None
    programs = program_times(session.loaded.programs)
    await collector.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    counters = {f"{item.stage}/{item.reason}/{item.unit}": item.value for item in context.counters.samples()}
    return {
        "cpu_s": used,
        "drain_s": drain_s,
        "rss_mib": peak_mib(),
        "programs": programs,
        "counters": counters,
        "rows": rows,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(sys.argv[1]))))
