"""What the kernel programs cost a call, of several builds of them attached at once: each sees the same calls at the same moments."""

from __future__ import annotations

import argparse
import json
import os
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

    :ivar windows: by program, what a run of it took in each window, in nanoseconds. :ivar counters: what it counted, at its end.
    """

    def __init__(self, name: str) -> None:
        self.name = name or "this tree"
        self.windows: dict[str, list[float]] = {}
        self.counters: dict[str, int] = {}
        self._before: dict[str, list[int]] = {}

    @contextmanager
    def attached(self, path: str) -> Iterator[None]:
        """``path``: a checkout whose collector is taken, or an object for that of this one; empty: this one."""
        environment, item = dict(os.environ), path
        if Path(path or "/nowhere").is_dir():
            environment["PYTHONPATH"], item = f"{path}/plugins/collector-ebpf", ""
        pipe = subprocess.PIPE
        process: Any = subprocess.Popen(
            [sys.executable, "-m", "bench._ebpf_calls_run", item], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )  # fmt: skip
        self._process = process
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{self.name} did not start: {self._process.communicate()[1].strip()[-2000:]}")
        yield
        out, error = self._process.communicate(timeout=120)
        if self._process.returncode:
            raise RuntimeError(f"{self.name} failed: {error.strip()[-2000:]}")
        for name, value in json.loads(out.strip().splitlines()[-1]).items():
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
            + f"; {self.counters.get('captured//bytes', 0) / records:.0f} bytes of the ring a record, "
            f"dropped {sum(value for name, value in self.counters.items() if name.startswith('dropped'))}"
        )


def main(arguments: list[str]) -> int:
    """All builds at once, in each order once."""
    parser = argparse.ArgumentParser(prog="script/bench ebpf_calls", description=__doc__)
    parser.add_argument(
        "builds", nargs="*", default=[""], help="checkouts or objects to compare; none: this tree alone"
    )
    parser.add_argument("--kinds", default="send,write,vector", help="send, write, vector, file")
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
    builds = {(path, kind): Build(path) for path in options.builds for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        driver = f"{folder}/calls"
        subprocess.run(["cc", "-O2", "-o", driver, ROOT / "bench/drive_calls.c"], check=True)
        try:
            STATS.write_text("1")
            for kind in kinds:
                command = [
                    driver,
                    kind,
                    *(str(number) for number in (options.pairs, options.bytes, options.connections, options.cold)),
                ]
                # what comes first finds the caches colder than what comes second
                for order in (options.builds, options.builds[::-1]):
                    watch(command, options.windows, [(builds[path, kind], path) for path in order])
                print(f"{kind}:")
                for path in options.builds:
                    print(f"  {builds[path, kind].name}: {builds[path, kind]}", flush=True)
        finally:
            STATS.write_text(before)
    return 0


def watch(command: list[str], windows: int, builds: list[tuple[Build, str]]) -> None:
    """The load, by the window, while all are attached."""
    with ExitStack() as stack:
        for build, path in builds:
            stack.enter_context(build.attached(path))
        driver = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        )
        assert driver.stdin is not None
        assert driver.stdout is not None
        for _ in range(windows):
            for build, _path in builds:
                build.begin()
            driver.stdin.write(b"x")
            driver.stdout.readline()
            for build, _path in builds:
                build.end()
        driver.stdin.close()
