"""tcpreplay over a veth pair into the live collector: packets seen, packets dropped, processor time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.captures import Capture
from bench.namespaces import Wire

ROOT = Path(__file__).parent.parent
LOOPS = 30
"""How often the capture is sent: far more bytes than the ring holds, so that an engine that is too slow would drop."""


@dataclass(frozen=True, slots=True)
class Live:
    """One replay."""

    wanted_rate: int
    sent: int
    seconds: float
    seen: int
    dropped: int
    exchanges: int
    true_exchanges: int
    cpu_s: float
    rss_mib: float

    def __str__(self) -> str:
        return (
            f"asked for {self.wanted_rate / 1e6:.2f} Mpkt/s: sent {self.sent} packets in {self.seconds:.2f} s "
            f"({self.sent / self.seconds / 1e6:.3f} Mpkt/s), engine saw {self.seen}, kernel dropped {self.dropped}, "
            f"{self.exchanges} of {self.true_exchanges} exchanges, {self.cpu_s:.2f} s of processor time, {self.rss_mib:.0f} MiB"
        )


def live(capture: Capture, rate: int, core: int) -> Live:
    """Replay a capture at ``rate`` packets a second (0: as fast as it goes) towards the collector, which runs on ``core``.

    The wire's addresses are not those of the capture, so that no kernel answers. The packets are in memory before the first
    one is sent; each of the :data:`LOOPS` rounds has addresses of its own, so that its flows are new.

    :raises RuntimeError: tcpreplay or the capture failed.
    """
    with Wire("mfl", "10.79.9") as wire:
        command = wire.server.command(
            "taskset", "-c", str(core), sys.executable, "-m", "bench._live_run", wire.server.interface, capture.protocol
        )
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
        try:
            if not process.stdout or process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"the live capture did not start: {process.communicate()[1].strip()[-2000:]}")
            speed = [f"--pps={rate}", "--pps-multi=512"] if rate else ["--topspeed"]
            other = 0 if core else 1
            sender = ["taskset", "-c", str(other), "tcpreplay", "--preload-pcap", "--no-flow-stats", *speed]
            sender += [f"--loop={LOOPS}", "--unique-ip", "-i", wire.client.interface]
            replay = subprocess.run(
                wire.client.command(*sender, str(capture.path)), capture_output=True, text=True, check=False
            )
            output, errors = process.communicate(timeout=120)
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode:
        raise RuntimeError(f"the live capture failed: {errors.strip()[-2000:]}")
    sent = re.search(r"Actual: (\d+) packets \(\d+ bytes\) sent in ([\d.]+) seconds", replay.stdout)
    if not sent:
        raise RuntimeError(f"tcpreplay failed: {(replay.stderr or replay.stdout).strip()[-2000:]}")
    found = json.loads(output.splitlines()[-1])
    lost = sum(number for name, number in found["counters"].items() if name.startswith("dropped"))
    return Live(
        rate, int(sent[1]), float(sent[2]), found["packets"], lost, found["exchanges"], LOOPS * capture.exchanges,
        found["cpu_s"], found["rss_mib"],
    )  # fmt: skip
