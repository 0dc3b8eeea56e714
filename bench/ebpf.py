"""What the eBPF collector costs: kernel and user time per record, and what a watched program loses."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.machine import machine
from metaflow_core.testing import free_port

ROOT = Path(__file__).parent.parent
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
SLOW = """
import http.server, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end: pass
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server while it runs; stopped by its process id."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def watched(mode: str, result: dict[str, Any]) -> Iterator[None]:
    """The collector while it runs; what it says at its end goes into ``result``."""
    if mode == "off":
        yield
        return
    pipe = subprocess.PIPE
    if mode == "tcpdump":
        with tempfile.TemporaryDirectory() as folder:
            command = ["tcpdump", "-i", "lo", "-s", "256", "-w", f"{folder}/x.pcap", "-Z", "root"]
            process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
            time.sleep(1)
            yield
            process.terminate()
            process.communicate(timeout=20)
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "bench._ebpf_run", mode], stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"the collector did not start: {process.communicate()[1].strip()[-2000:]}")
    yield
    out, error = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(f"the collector failed: {error.strip()[-2000:]}")
    result.update(json.loads(out.strip().splitlines()[-1]))


def redis_rate(port: int, seconds: float) -> float:
    """SETs a second of redis-benchmark with 20 connections."""
    count = str(int(seconds * 60_000))
    done = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-t", "set", "-n", count, "-c", "20", "-q"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(re.findall(r"([\d.]+) requests per second", done.stdout)[-1])


def wrk_rate(url: str, seconds: float) -> float:
    """Requests a second of wrk with 16 connections."""
    done = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s", url], capture_output=True, text=True, check=True
    )
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", done.stdout)[-1])


@contextmanager
def loads(seconds: float) -> Iterator[dict[str, Callable[[], float]]]:
    """The servers, and what asks them."""
    made: dict[str, Callable[[], float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if shutil.which("redis-server"):
            redis = free_port()
            stack.enter_context(
                running(["redis-server", "--port", str(redis), "--save", "", "--bind", "127.0.0.1"], redis)
            )
            made["redis SET"] = lambda: redis_rate(redis, seconds)
        if Path("/usr/sbin/nginx").exists() and shutil.which("wrk"):
            plain, secure = free_port(), free_port()
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "k", "-out", folder / "c", "-days", "2", "-subj", "/CN=localhost"],
                check=True, capture_output=True,
            )  # fmt: skip
            (folder / "conf").write_text(
                f"daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null; user root; events {{}}\nhttp {{ access_log off; keepalive_requests 1000000;"
                f"server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{secure} ssl; ssl_certificate {folder}/c; ssl_certificate_key {folder}/k;"
                "location / { return 200 ok; } } }\n"
            )
            stack.enter_context(running(["/usr/sbin/nginx", "-c", str(folder / "conf"), "-p", str(folder)], plain))
            made["nginx"] = lambda: wrk_rate(f"http://127.0.0.1:{plain}/", seconds)
            made["nginx TLS"] = lambda: wrk_rate(f"https://127.0.0.1:{secure}/", seconds)
            slow = free_port()
            stack.enter_context(running([sys.executable, "-c", SLOW, str(slow)], slow))
            made["Python, 1 ms a request"] = lambda: wrk_rate(f"http://127.0.0.1:{slow}/", seconds)
        yield made


def report(name: str, mode: str, result: dict[str, Any]) -> None:
    """One line about what the collector did."""
    counters = result["counters"]
    records = counters.get("captured//records", 0)
    kernel = sum(nanoseconds for nanoseconds, _ in result["programs"].values())
    dropped = sum(value for key, value in counters.items() if key.startswith("dropped/"))
    if records:
        print(
            f"  {name}, {mode}: {records} records, kernel {kernel / records:.0f} ns and user {result['cpu_s'] * 1e9 / records:.0f} ns a record "
            f"(the drain {result['drain_s'] * 1e9 / records:.0f}, the rest looks at processes{' and is the engine' if mode == 'engine' else ''}), {dropped} dropped, {result['rss_mib']:.0f} MiB"
            + (f", {result['rows']} rows" if result["rows"] else "")
        )


def per_program(result: dict[str, Any]) -> str:
    """The programs that took the most time, with nanoseconds of one run."""
    times = sorted(result["programs"].items(), key=lambda item: -item[1][0])[:4]
    return ", ".join(f"{name} {nanoseconds / max(1, runs):.0f} ns x {runs}" for name, (nanoseconds, runs) in times)


def main(arguments: list[str]) -> int:
    """Run each load without and with the collector, in turns; the best of each counts, since others share the machine."""
    parser = argparse.ArgumentParser(prog="script/bench ebpf", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one run")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="part of the name of a load")
    parser.add_argument("--modes", default="off,drain,engine", help="off, drain, engine, tcpdump")
    options = parser.parse_args(arguments)
    if not STATS.exists():
        print("the eBPF benchmark needs Linux with kernel.bpf_stats_enabled, as root", file=sys.stderr)
        return 1
    print(machine())
    print(
        f"clients, servers and collector share all cores; {options.rounds} rounds of {options.seconds:g} s, best of each\n"
    )
    before = STATS.read_text()
    modes = options.modes.split(",")
    try:
        STATS.write_text("1")
        with loads(options.seconds) as made:
            for name, ask in made.items():
                if options.only not in name:
                    continue
                best: dict[str, float] = {}
                results: dict[str, dict[str, Any]] = {}
                for _ in range(options.rounds):
                    for mode in modes:
                        result: dict[str, Any] = {}
                        with watched(mode, result):
                            rate = ask()
                        if rate > best.get(mode, 0):
                            best[mode], results[mode] = rate, result
                floor = best[modes[0]]
                print(
                    f"{name}: "
                    + ", ".join(f"{mode} {rate:,.0f}/s ({rate / floor - 1:+.0%})" for mode, rate in best.items())
                )
                for mode, result in results.items():
                    if result:
                        report(name, mode, result)
                        print(f"    {per_program(result)}")
    finally:
        STATS.write_text(before)
    return 0
