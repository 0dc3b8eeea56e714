"""Packets and exchanges a second, and peak memory, on one core: native, wasm and Python beside tcpdump, tshark, ndpiReader, dpkt, pyshark.

The captures are made anew with real servers under load in two network namespaces (MTU 1500, offloads off), and every
count stands beside what the server itself counted. Each program runs in a process of its own, pinned to one core; times
are CPU time (user and system), of the engine without its start-up. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.captures import MAKERS, Capture
from bench.live import live
from bench.machine import machine
from bench.namespaces import Wire
from bench.peers import Peer, peers

ROOT = Path(__file__).parent.parent
ENGINES = (
    ("native", "native", ()),
    ("native, no l7_message", "native", ("l7_message=0",)),
    ("native, as mflow read", "native", ("l7_message=0", "metrics=0")),
    ("wasm", "wasm", ()),
    ("wasm, no l7_message", "wasm", ("l7_message=0",)),
    ("wasm, as mflow read", "wasm", ("l7_message=0", "metrics=0")),
    ("native engine, wasm parser", "native+wasm", ()),
    ("native engine, python parser", "python", ()),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One measured run."""

    capture: str
    program: str
    packets: int
    cpu_s: float
    rss_mib: float
    exchanges: int | None
    truth: int | None

    @property
    def rate(self) -> float:
        """Packets for each second of CPU time."""
        return self.packets / self.cpu_s if self.cpu_s else 0.0


def main(arguments: list[str]) -> int:
    """Run the benchmark; 1 when a count of the engine is not the server's."""
    parser = argparse.ArgumentParser(prog="script/bench dataplane", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--scale", type=float, default=0.1, help="size of the load; 1 is about a million HTTP packets (default 0.1)"
    )
    parser.add_argument(
        "--captures", nargs="*", choices=sorted(MAKERS), default=list(MAKERS), help="which (default all)"
    )
    parser.add_argument(
        "--core", type=int, default=(os.cpu_count() or 1) - 1, help="the core to run on (default the last)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of the engine, of which the best counts (default 3)"
    )
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--no-peers", action="store_true", help="only the engine")
    parser.add_argument(
        "--live", type=int, nargs="*", metavar="PPS",
        help="also replay the HTTP capture over a veth pair at these rates (default 900000; 0: as fast as it goes)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        print("script/bench dataplane makes network namespaces and captures in them; run it as root.", file=sys.stderr)
        return 1
    others = [] if options.no_peers else peers()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="metaflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = make_captures(options.captures, folder, options.scale)
        for capture in made:
            results += measure(capture, options.core, options.rounds, others)
        results += flat_memory(made, options.core)
        rates = [] if options.live is None else options.live or [900_000]
        replays = [live(each, rate, options.core) for rate in rates for each in made if each.protocol == "http"]
    print(table(results))
    for replay in replays:
        print(f"live http: {replay}")
    versions = {peer.name: peer.version for peer in others}
    print(f"\n{machine()}\n" + ", ".join(f"{program} {version}" for program, version in versions.items()))
    if options.json:
        document = {
            "machine": machine(),
            "versions": versions,
            "scale": options.scale,
            "results": [asdict(result) for result in results],
            "live": [asdict(replay) for replay in replays],
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    wrong = [result for result in results if result.truth is not None and result.exchanges != result.truth]
    for result in wrong:
        print(
            f"{result.capture}, {result.program}: {result.exchanges} exchanges, the server counted {result.truth}",
            file=sys.stderr,
        )
    return 1 if wrong else 0


def make_captures(names: Sequence[str], folder: Path, scale: float) -> list[Capture]:
    """The captures, made one after the other."""
    made = []
    with Wire("mfb") as wire:
        for name in names:
            place = folder / name
            place.mkdir()
            place.chmod(0o755)
            made.append(MAKERS[name](wire, place, scale))
            print(
                f"made {name}: {made[-1].packets} packets, {made[-1].exchanges} exchanges by {made[-1].truth}",
                file=sys.stderr,
            )
    return made


def measure(capture: Capture, core: int, rounds: int, others: Sequence[Peer]) -> list[Result]:
    """Every program on one capture."""
    found = []
    for title, runtime, options in ENGINES:
        if runtime == "python" and capture.protocol != "http":
            continue
        runs = [engine_run(runtime, capture, core, 1, options) for _ in range(rounds)]
        best = min(runs, key=lambda run: run["cpu_s"])
        found.append(
            Result(
                capture.protocol,
                title,
                int(best["packets"]),
                best["cpu_s"],
                best["rss_mib"],
                int(best["exchanges"]),
                capture.exchanges,
            )
        )
    return found + [peer_run(peer, capture, core) for peer in others]


def engine_run(runtime: str, capture: Capture, core: int, repeat: int, options: Sequence[str]) -> dict[str, float]:
    """One run of the engine in a process of its own."""
    command = [
        "taskset",
        "-c",
        str(core),
        sys.executable,
        "-m",
        "bench._engine_run",
        runtime,
        capture.protocol,
        str(capture.path),
        str(repeat),
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"the {runtime} engine failed on {capture.path.name}: {done.stderr.strip()[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def peer_run(peer: Peer, capture: Capture, core: int) -> Result:
    """One run of another program, on its share of the capture."""
    file, packets = capture.path, capture.packets
    if peer.share < 1:
        packets = max(2000, int(capture.packets * peer.share))
        file = capture.path.with_name("part.pcap")
        subprocess.run(
            ["tcpdump", "-r", str(capture.path), "-c", str(packets), "-w", str(file)], capture_output=True, check=True
        )
        packets = min(packets, capture.packets)
    with tempfile.TemporaryFile("w+") as output:
        command = ["taskset", "-c", str(core), *peer.command(capture.protocol, file)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        peak = 0.0
        while not (done := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(0.01)
        process.returncode = 0
        output.seek(0)
        text = output.read()
    cpu = done[2].ru_utime + done[2].ru_stime
    exchanges = peer.exchanges(text) if peer.share == 1 else None
    return Result(capture.protocol, peer.name, packets, cpu, peak, exchanges, None)


def peak_mib(pid: int) -> float:
    """Peak memory of a running process, 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = status.partition("VmHWM:")[2].split()
    return int(found[0]) / 1024 if found else 0.0


def flat_memory(made: Sequence[Capture], core: int) -> list[Result]:
    """The HTTP capture ten times over, each time 1000 s later: memory must not grow with the input."""
    found = []
    for capture in (capture for capture in made if capture.protocol == "http"):
        run = engine_run("native", capture, core, 10, ())
        result = ("http x10", "native", int(run["packets"]), run["cpu_s"], run["rss_mib"], int(run["exchanges"]))
        found.append(Result(*result, 10 * capture.exchanges))
    return found


def table(results: Sequence[Result]) -> str:
    """The results as aligned text."""
    lines = [
        f"{'capture':<9} {'program':<30} {'packets':>9} {'Mpkt/s':>8} {'kexch/s':>8} {'MiB':>7} {'exchanges':>10} {'server':>9}"
    ]
    for each in results:
        exchanges = "-" if each.exchanges is None else str(each.exchanges)
        per_second = "-" if each.exchanges is None else f"{each.exchanges / each.cpu_s / 1e3:.0f}"
        truth = "-" if each.truth is None else str(each.truth)
        lines.append(
            f"{each.capture:<9} {each.program:<30} {each.packets:>9} {each.rate / 1e6:>8.3f} {per_second:>8} {each.rss_mib:>7.0f} {exchanges:>10} {truth:>9}"
        )
    return "\n".join(lines)
