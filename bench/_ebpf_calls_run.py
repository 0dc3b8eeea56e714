"""One build of the kernel programs, attached in a process of its own. Started by ``bench.ebpf_calls``.

``_ebpf_calls_run.py OBJECT``: an empty OBJECT is that of the plugin. Prints ``ready``; for each line on standard input a line of JSON, nanoseconds and
runs of each program so far; at its end what was drained meanwhile, by a thread whose blocks nobody wants.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from metaflow_collector_ebpf.backends import core
from metaflow_collector_ebpf.clock import BootClock
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.layout import COUNTERS
from metaflow_collector_ebpf.session import Session

from bench._ebpf_run import program_times


def main(arguments: list[str]) -> None:
    """Load, tell times when asked."""
    if arguments[0]:
        core.object_path = lambda machine="": Path(arguments[0])
    session = Session(EbpfConfig(backend="core"))
    ended = threading.Event()

    def drain() -> None:
        clock = BootClock()
        while session.records.drain(clock.to_unix()).records or not ended.wait(0.02):
            pass

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
    print(json.dumps({name: b - a for name, a, b in zip(names, counted, now, strict=True) if b != a}))


if __name__ == "__main__":
    main(sys.argv[1:])
