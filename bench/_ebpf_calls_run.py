"""One build of the kernel programs, attached in a process of its own. Started by ``bench.ebpf_calls``.

``_ebpf_calls_run.py OBJECT [PID]``: an empty OBJECT is that of the plugin; PID is a Go program whose goroutines are told apart. Prints ``ready``; for each
line on standard input a line of JSON, nanoseconds and runs of each program so far; at its end what was counted meanwhile, and what a record took in the
drain: nanoseconds of its thread, the median of those drains that found many.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from pathlib import Path

from metaflow_collector_ebpf.backends import core
from metaflow_collector_ebpf.clock import BootClock
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.kernel.elf import Elf
from metaflow_collector_ebpf.layout import COUNTERS
from metaflow_collector_ebpf.routines.runtime import read_runtime
from metaflow_collector_ebpf.session import Session

from bench._ebpf_run import program_times

# fewer say what a look at the ring costs
_MANY = 500


def main(arguments: list[str]) -> None:
    """Load, tell times when asked."""
    if arguments[0]:
        core.object_path = lambda machine="": Path(arguments[0])
    session = Session(EbpfConfig(backend="core"))
    if len(arguments) > 1:
        runtime = read_runtime(Elf(Path(f"/proc/{arguments[1]}/exe").read_bytes()))
        assert runtime.is_known, f"goroutines of {runtime.version!r} cannot be told apart"
        session.runs_coroutines(int(arguments[1]), runtime.pack(1))
    ended = threading.Event()
    took: list[float] = []

    def drain() -> None:
        clock = BootClock()
        held = None
        while not ended.is_set():
            before = time.thread_time_ns()
            drained = session.records.drain(clock.to_unix())
            if drained.records >= _MANY:
                took.append((time.thread_time_ns() - before) / drained.records)
                # as an engine holds one block while the next is filled
                held = drained.data
            elif not drained.records:
                ended.wait(0.05)
        del held

    thread = threading.Thread(target=drain)
    thread.start()
    counted = session.counters()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(program_times(session.loaded.programs)), flush=True)
    ended.set()
    thread.join()
    now = session.counters()
    session.close()
    names = ["/".join(item) for item in COUNTERS]
    counters = {name: b - a for name, a, b in zip(names, counted, now, strict=True) if b != a}
    print(json.dumps({"counters": counters, "drain": statistics.median(took) if took else 0}))


if __name__ == "__main__":
    main(sys.argv[1:])
