"""The whole of MetaFlow: up to the first row, an idle agent, the demo's load, rows from agent to store."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from bench.core import clean_environment
from bench.machine import machine
from metaflow_core.testing import free_port

ROOT = Path(__file__).parent.parent
SHOP = ROOT / "tests" / "captures" / "shop.pcap"
MFLOW = [sys.executable, "-m", "metaflow_core"]
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of a process now."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@contextlib.contextmanager
def running(*words: str, log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process from the moment its output has a text in it; stopped by SIGTERM at the end."""
    with log.open("wb") as sink:
        process = subprocess.Popen(words, stdout=sink, stderr=sink, cwd=log.parent, env=clean_environment())
    try:
        deadline = time.monotonic() + 180
        while ready not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(words)}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def sql(port: int, text: str) -> list[list[object]]:
    """Rows of an answer."""
    data = urllib.parse.urlencode({"db": "flow_log", "sql": text}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/query", data, timeout=60) as answer:
        found: list[list[object]] = json.load(answer)["result"]["values"]
    return found


class _Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        return


def first_row(folder: Path) -> None:
    """``mflow up`` on loopback while somebody asks a web server: until it is up, until a request can be asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    watched, port = server.server_address[1], free_port()
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            client = http.client.HTTPConnection("127.0.0.1", watched)
            client.request("GET", "/")
            client.getresponse().read()
            client.close()
            stop.wait(0.1)

    threading.Thread(target=visit, daemon=True).start()
    words = [
        *MFLOW,
        "up",
        "--interface",
        "lo",
        "--filter",
        f"tcp port {watched}",
        "--data",
        str(folder / "up"),
        "--port",
        str(port),
    ]
    for which in ("the first time", "again"):
        begin = time.monotonic()
        since = time.time_ns() // 1000
        with running(*words, log=folder / "up.log", ready="MetaFlow is up.") as process:
            up = time.monotonic() - begin
            while not int(str(sql(port, f"SELECT Count(row) AS n FROM l7_flow_log WHERE start_time > {since}")[0][0])):
                time.sleep(0.05)
            asked, spent = time.monotonic() - begin, cpu_s(process.pid)
            text = str(sql(port, f"SELECT Min(start_time) AS t FROM l7_flow_log WHERE start_time > {since}")[0][0])
            first = datetime.datetime.fromisoformat(text).timestamp() - since / 1e6
            print(
                f"mflow up, {which}: is up after {up:.1f} s, a request can be asked for after {asked:.1f} s ({spent:.1f} s of processor "
                f"time), the first one seen was made after {first:.1f} s"
            )
    stop.set()
    server.shutdown()


def idle_agent(folder: Path, seconds: float) -> None:
    """An agent with a server and hardly any traffic: processor and memory."""
    port = free_port()
    server = [
        *MFLOW,
        "server",
        "--listen",
        f"127.0.0.1:{port}",
        "--data",
        str(folder / "server"),
        "--port",
        str(free_port()),
    ]
    agent = [
        *MFLOW,
        "agent",
        "--server",
        f"127.0.0.1:{port}",
        "--data",
        str(folder / "agent"),
        "--interface",
        "lo",
        "--filter",
        "udp port 9",
    ]
    with (
        running(*server, log=folder / "server.log", ready="MetaFlow server is up.") as far,
        running(*agent, log=folder / "agent.log", ready="MetaFlow agent is up.") as near,
    ):
        time.sleep(3)
        before = cpu_s(near.pid), cpu_s(far.pid)
        time.sleep(seconds)
        spent = (cpu_s(near.pid) - before[0]) / seconds, (cpu_s(far.pid) - before[1]) / seconds
        print(
            f"idle agent: {spent[0]:.2%} of a core, {rss_mib(near.pid):.0f} MiB; its server: {spent[1]:.2%}, {rss_mib(far.pid):.0f} MiB"
        )


def demo_load(folder: Path, rate: float, seconds: float) -> None:
    """``mflow demo``: what watching costs beside the shop itself."""
    port, log = free_port(), folder / "calls.jsonl"
    words = [
        *MFLOW,
        "demo",
        "--rate",
        str(rate),
        "--port",
        str(port),
        "--log",
        str(log),
        "--data",
        str(folder / "demo"),
    ]
    with running(*words, log=folder / "demo.log", ready="MetaFlow is up."):
        while not log.exists() or not log.stat().st_size:
            time.sleep(0.1)
        watcher = next(
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"\0up\0" in (line := path.read_bytes()) and str(port).encode() in line
        )
        # what the start left to do is not what the load costs
        time.sleep(5)
        calls, before = log.read_text().count("\n"), cpu_s(watcher)
        time.sleep(seconds)
        calls = log.read_text().count("\n") - calls
        spent = (cpu_s(watcher) - before) / seconds
        print(
            f"demo: {calls / seconds:.0f} calls/s seen by mflow up with {spent:.1%} of a core "
            f"({spent * seconds / max(calls, 1) * 1e6:.0f} us a call), {rss_mib(watcher):.0f} MiB"
        )


async def agent_to_store(folder: Path, rows: int, batch_rows: int) -> None:
    """Rows of a real capture through spool, gRPC and server into the embedded store; floors are its steps alone."""
    import pyarrow as pa
    from metaflow_link.agent.config import SenderConfig
    from metaflow_link.agent.forwarder import Forwarder
    from metaflow_link.wire.batches import Packing, pack, unpack
    from metaflow_link.wire.messages import messages

    import metaflow_core as mf
    from metaflow_core.api import Kind, RecordBatch, SystemClock
    from metaflow_core.testing import build_context

    shop = [batch for batch in _engine_batches(mf) if batch.table == "flow_log.l7_flow_log"]
    table = pa.Table.from_batches([batch.data for batch in shop]).combine_chunks().unify_dictionaries()
    data = (
        pa.concat_tables([table] * (-(-batch_rows // table.num_rows)))
        .combine_chunks()
        .slice(0, batch_rows)
        .to_batches()[0]
    )
    many = -(-rows // batch_rows)

    begin = time.process_time()
    [packed] = pack(RecordBatch("flow_log.l7_flow_log", data, "x"), Packing.ZSTD, 1 << 30)
    packing = time.process_time() - begin
    begin = time.process_time()
    unpack(messages()["Batch"].FromString(packed.data), 1 << 30)
    unpacking = time.process_time() - begin

    port = free_port()
    config = {
        "version": 1,
        "collectors": {"metaflow": {"listen": f"127.0.0.1:{port}"}},
        "storages": {"clickhouse": {"path": str(folder / "store"), "retention": "forever"}},
        "pipelines": {"agents": {"collectors": ["metaflow"], "storages": ["clickhouse"]}},
        "service": {"data_dir": str(folder / "link-server")},
    }
    (folder / "server.yaml").write_text(yaml.safe_dump(config))
    with running(*MFLOW, "run", str(folder / "server.yaml"), log=folder / "link.log", ready="Running") as server:
        context = build_context(Kind.STORAGE, "metaflow", clock=SystemClock(), data_dir=folder / "link-agent")
        forwarder = Forwarder(context, SenderConfig(server=f"127.0.0.1:{port}", report_s=60))
        await forwarder.start()
        while not (await forwarder.health())["connected"]:
            await asyncio.sleep(0.01)
        spent = time.process_time(), cpu_s(server.pid)
        start = time.monotonic()
        for number in range(many):
            await forwarder.write(RecordBatch("flow_log.l7_flow_log", data, f"bench-{number}"))
        spooled = time.monotonic() - start
        while (await forwarder.health())["spool_batches"]:
            await asyncio.sleep(0.005)
        whole = time.monotonic() - start
        agent, far = time.process_time() - spent[0], cpu_s(server.pid) - spent[1]
        await forwarder.stop()
    total = many * batch_rows
    print(
        f"agent -> server -> store: {total:,} rows of {data.nbytes / batch_rows:.0f} bytes in batches of {batch_rows:,}: "
        f"{total / whole:,.0f} rows/s by the clock (spooled at {total / spooled:,.0f}/s); "
        f"{total / agent:,.0f} rows a core and second at the agent, {total / far:,.0f} at the server, {total / (agent + far):,.0f} in all; "
        f"{len(packed.data) / batch_rows:.1f} bytes a row on the wire"
    )
    print(
        f"  floors: packing alone {batch_rows / packing:,.0f} rows/s, unpacking and checking alone {batch_rows / unpacking:,.0f} rows/s"
    )


class _Rows:
    """A collector that emits the shop's rows again and again, table by table, every half second, as a live engine gives them."""

    def __init__(self, batches: list[Any], seconds: float) -> None:
        self._batches, self._seconds = batches, seconds
        self.rows = 0

    async def run(self, emit: Any) -> None:
        from metaflow_core.api import RecordBatch

        for turn in range(int(self._seconds * 2)):
            for batch in self._batches:
                # an eighth of the rows each time: some hundred calls a second
                part = -(-batch.data.num_rows // 8)
                await emit(RecordBatch(batch.table, batch.data.slice(turn % 8 * part, part)))
                self.rows += part
            await asyncio.sleep(0.5)

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    def resources(self) -> tuple[()]:
        return ()


async def gathering(folder: Path, seconds: float) -> None:
    """What rows that come twice a second cost taggers and store, written every two seconds or when enough wait, in turns."""
    from types import SimpleNamespace

    import metaflow_core as mf
    from metaflow_core import hookimpl
    from metaflow_core.api import CollectorFactory

    batches = _engine_batches(mf)
    for turn in range(4):
        waits = turn % 2 == 1
        source = _Rows(batches, seconds)
        offered = CollectorFactory(type="rows", create=lambda context, config: source, emits=frozenset({"records"}))  # noqa: B023
        plugin = SimpleNamespace(
            __name__="rows", metaflow_collectors=hookimpl(specname="metaflow_collectors")(lambda: [offered])  # noqa: B023
        )  # fmt: skip
        pipeline = {"collectors": ["rows"], "taggers": ["process", "seen"], "storages": ["clickhouse"]}
        app = mf.App(
            {
                "version": 1,
                "collectors": {"rows": {}},
                "taggers": {"process": {"sockets": False}, "seen": {}},
                "storages": {
                    "clickhouse": {"path": str(folder / f"gather-{turn}"), "linger_ms": 50 if waits else 2000}
                },
                "pipelines": {"p": {**pipeline, **({"gather": {"wait_s": 15}} if waits else {})}},
            },
            plugins=[plugin],
            autoload=True,
        )
        async with app:
            before = time.process_time()
            await app.wait()
            spent = time.process_time() - before
            stats = app.stats()
        inserts = sum(each.value for each in stats if (each.stage, each.unit) == ("sent", "batches"))
        how = "wait 15 s at most" if waits else "two seconds between inserts"
        print(
            f"rows {how}: {source.rows / seconds:.0f} rows/s in {len(batches)} batches twice a second: {spent / seconds:.1%} of a core, "
            f"{spent / source.rows * 1e6:.0f} us a row; {inserts} batches written"
        )


def _engine_batches(mf: Any) -> list[Any]:
    """The batches that the engine makes of the shop's capture."""
    app = mf.App(
        {
            "version": 1,
            "collectors": {"pcap": {"files": [str(SHOP)]}},
            "storages": {"memory": {}},
            "pipelines": {"p": {"collectors": ["pcap"], "parsers": ["*"], "storages": ["memory"]}},
        },
        autoload=True,
    )

    async def collect() -> list[Any]:
        tap = app.tap("p")
        async with app:
            return [batch async for batch in tap]

    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.extend(asyncio.run(collect())))
    thread.start()
    thread.join()
    return result


def main(arguments: list[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="script/bench e2e")
    parser.add_argument("parts", nargs="*", help="up, idle, demo, link, gather; default all")
    parser.add_argument("--rows", type=int, default=400_000, help="rows from agent to store")
    parser.add_argument("--batch-rows", type=int, default=8192)
    parser.add_argument("--rate", type=float, default=100, help="calls of the demo's customers a second")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement over time")
    chosen = parser.parse_args(arguments)
    parts = chosen.parts or ["up", "idle", "demo", "link", "gather"]
    print(machine())
    print(
        f"load {os.getloadavg()[0]:.1f}; "
        + ", ".join(f"{name} {version(name)}" for name in ("grpcio", "pyarrow", "chdb"))
    )
    with tempfile.TemporaryDirectory(prefix="mflow-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if "link" in parts:
            asyncio.run(agent_to_store(folder, chosen.rows, chosen.batch_rows))
        if "gather" in parts:
            asyncio.run(gathering(folder, max(chosen.seconds, 30)))
        if "up" in parts:
            first_row(folder)
        if "idle" in parts:
            idle_agent(folder, chosen.seconds)
        if "demo" in parts:
            demo_load(folder, chosen.rate, chosen.seconds)
    return 0
