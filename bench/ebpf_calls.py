"""What the kernel programs cost a call, of several builds of them attached at once: each sees the same calls at the same moments."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.ebpf import STATS
from bench.machine import machine

ROOT = Path(__file__).parent.parent
# a program that other calls of this machine run says nothing
_FEW = 50


class Build:
    """A build while it is attached.

    :ivar path: a checkout whose collector is taken, or an object for that of this one; empty: this one. :ivar routines: whether goroutines are told apart.
    :ivar windows: by program, what a run of it took in each window, in nanoseconds. :ivar counters: what it counted, at its end.
    :ivar drain: nanoseconds of the drain a record, of each run.
    """

    def __init__(self, path: str, *, routines: bool = False) -> None:
        self.path, self.routines = path, routines
        self.name = (path or "this tree") + (", goroutines" if routines else "")
        self.drain: list[float] = []
        self.windows: dict[str, list[float]] = {}
        self.counters: dict[str, int] = {}
        self._before: dict[str, list[int]] = {}

    @contextmanager
    def attached(self, pid: int) -> Iterator[None]:
        """Attached, for a load that the process ``pid`` makes."""
        environment, item = dict(os.environ), self.path
        if Path(self.path or "/nowhere").is_dir():
            environment["PYTHONPATH"], item = f"{self.path}/plugins/collector-ebpf", ""
        of_go = [str(pid)] if self.routines else []
        pipe = subprocess.PIPE
        process: Any = subprocess.Popen(
            [sys.executable, "-m", "bench._ebpf_calls_run", item, *of_go], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )  # fmt: skip
        self._process = process
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{self.name} did not start: {self._process.communicate()[1].strip()[-2000:]}")
        yield
        out, error = self._process.communicate(timeout=120)
        if self._process.returncode:
            raise RuntimeError(f"{self.name} failed: {error.strip()[-2000:]}")
        told = json.loads(out.strip().splitlines()[-1])
        self.drain.append(told["drain"])
        for name, value in told["counters"].items():
            self.counters[name] = self.counters.get(name, 0) + value

    def _times(self) -> dict[str, list[int]]:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, list[int]] = json.loads(self._process.stdout.readline())
        return found

    def begin(self) -> None:
        """A window begins."""
        self._before = self._times()

    def end(self) -> None:
        """It ends."""
        after = self._times()
        for name, (nanoseconds, runs) in self._before.items():
            if after[name][1] - runs > _FEW:
                took = (after[name][0] - nanoseconds) / (after[name][1] - runs)
                self.windows.setdefault(name, []).append(took)

    def __str__(self) -> str:
        most = max(map(len, self.windows.values()))
        often = {name: took for name, took in sorted(self.windows.items()) if len(took) > most // 2}
        records = max(1, self.counters.get("captured//records", 0))
        return (
            ", ".join(f"{name} {statistics.median(took):.0f} (least {min(took):.0f})" for name, took in often.items())
            + f"; {self.counters.get('captured//bytes', 0) / records:.0f} bytes of the ring a record, drain {min(self.drain):.0f}, "
            f"dropped {sum(value for name, value in self.counters.items() if name.startswith('dropped'))}"
        )


def main(arguments: list[str]) -> int:
    """All builds at once, in each order once."""
    parser = argparse.ArgumentParser(prog="script/bench ebpf_calls", description=__doc__)
    parser.add_argument(
        "builds", nargs="*", default=[""], help="checkouts or objects to compare; none: this tree alone"
    )
    parser.add_argument(
        "--kinds",
        default="send,write,vector",
        help="send, write, vector, file; go: with its goroutines told apart and without",
    )
    parser.add_argument("--pairs", type=int, default=200, help="in one window")
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--bytes", type=int, default=150)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--cold", type=int, default=0, help="KiB of memory that the program walks through between two pairs"
    )
    options = parser.parse_args(arguments)
    if not STATS.exists():
        print("this benchmark needs Linux with kernel.bpf_stats_enabled, as root", file=sys.stderr)
        return 1
    print(machine())
    print(
        f"nanoseconds a run of each program, the median of {2 * options.windows} windows of {options.pairs} calls each way; "
        f"{options.connections} connections, {options.bytes} bytes a call, {options.cold} KiB walked through between\n"
    )
    before = STATS.read_text()
    kinds = options.kinds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        try:
            STATS.write_text("1")
            for kind in kinds:
                builds = [
                    Build(path, routines=routines)
                    for path in options.builds
                    for routines in ((False, True) if kind == "go" else (False,))
                ]
                numbers = (options.pairs, options.bytes, options.connections, options.cold)
                command = [driver(kind, folder), kind, *(str(number) for number in numbers)]
                # what comes first finds the caches colder than what comes second
                for order in (builds, builds[::-1]):
                    watch(command, options.windows, order)
                print(f"{kind}:")
                for build in builds:
                    print(f"  {build.name}: {build}", flush=True)
        finally:
            STATS.write_text(before)
    return 0


def driver(kind: str, folder: str) -> str:
    """The program that makes the calls, compiled."""
    out = f"{folder}/{kind}"
    if kind == "go":
        go = shutil.which("go") or "/usr/local/go/bin/go"
        source = str(ROOT / "bench/drive_calls.go")
        subprocess.run([go, "build", "-o", out, source], check=True, env={**os.environ, "GO111MODULE": "off"})
    else:
        subprocess.run(["cc", "-O2", "-o", out, ROOT / "bench/drive_calls.c"], check=True)
    return out


def watch(command: list[str], windows: int, builds: list[Build]) -> None:
    """The load, by the window, while all are attached."""
    with ExitStack() as stack:
        load = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0))
        assert load.stdin is not None
        assert load.stdout is not None
        for build in builds:
            stack.enter_context(build.attached(load.pid))
        for _ in range(windows):
            for build in builds:
                build.begin()
            load.stdin.write(b"x")
            load.stdout.readline()
            for build in builds:
                build.end()
        load.stdin.close()
