"""The demo from curtain to curtain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.errors import StartError
from metaflow_demo.network import Network, make_network
from metaflow_demo.processes import UP_STOPS_WITHIN_S, Processes
from metaflow_demo.relay import relay
from metaflow_demo.shop.plan import Plan
from metaflow_demo.stage import make_plan, start_customers, start_shop

__all__ = ["CAPTURES", "Options", "play", "show_recorded"]

CAPTURES = tuple(Path(__file__).parent / "captures" / f"{name}.pcap.gz" for name in ("lo", "wire"))


@dataclass(frozen=True, slots=True)
class Options:
    """:ivar port: of the pages, on this machine's loopback. :ivar log: file of the calls; None for one that goes with the demo.
    :ivar network: in namespaces of its own. :ivar watched: start ``mflow up`` for it. :ivar ebpf: with eBPF
    beside packets."""

    port: int
    data: Path | None
    log: Path | None
    rate: float
    calls: int
    loss: float
    seconds: float | None
    network: bool
    watched: bool
    ebpf: bool = False


async def play(options: Options) -> int:
    """Set up, let the customers in, show, and take everything down at the end.

    :raises StartError: a part does not start.
    """
    with tempfile.TemporaryDirectory(prefix="mflow-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        processes = Processes(folder)
        ended = _ended()
        side: list[asyncio.Task[None]] = []
        try:
            return await _play(options, folder, processes, ended, side)
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            await processes.stop()


def _ended() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    return ended


async def _play(
    options: Options, folder: Path, processes: Processes, ended: asyncio.Event, side: list[asyncio.Task[None]]
) -> int:
    network = await make_network(processes, options.loss) if options.network else None
    log = (options.log or folder / "calls.jsonl").absolute()
    plan = make_plan(folder, network, options.rate, options.calls, log)
    setting = asyncio.create_task(start_shop(plan, folder, processes, network))
    await _first(ended, setting)
    if not setting.done():
        setting.cancel()
        await asyncio.gather(setting, return_exceptions=True)
        return 0
    print("The shop is open:")
    for line in setting.result():
        print(f"  {line}")
    if network is not None:
        print(
            f"  customers come over a wire that loses {options.loss:g} % of their packets; all in network namespaces of its own"
        )
    print(f"  every call is written to {log}", flush=True)
    watcher = await _watch(options, plan, folder, processes, network, ended, side) if options.watched else None
    customers = None if ended.is_set() else await start_customers(folder, processes, network)
    waits = [asyncio.create_task(process.wait()) for process in (watcher,) if process is not None]
    if customers is not None and not options.watched:
        waits.append(asyncio.create_task(customers.wait()))
    try:
        async with asyncio.timeout(options.seconds):
            await _first(ended, *waits)
    except TimeoutError:
        pass
    for wait in waits:
        wait.cancel()
    # first no more calls, then what watches them may see the last one
    await processes.stop("customers")
    if watcher is not None and watcher.returncode is None:
        await asyncio.sleep(1.0)
    await processes.stop("up")
    return _told(watcher)


def _told(process: asyncio.subprocess.Process | None) -> int:
    """The code to end with; it is no failure of ``mflow up`` to have been stopped before it listened to that."""
    code = process.returncode or 0 if process is not None else 0
    return 0 if code == -signal.SIGTERM else code


async def _first(
    ended: asyncio.Event, *tasks: asyncio.Task[object] | asyncio.Task[int] | asyncio.Task[list[str]]
) -> None:
    stop = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()


async def _watch(
    options: Options,
    plan: Plan,
    folder: Path,
    processes: Processes,
    network: Network | None,
    ended: asyncio.Event,
    side: list[asyncio.Task[None]],
) -> asyncio.subprocess.Process:
    """Start ``mflow up`` where the shop is, and wait until it captures."""
    data = options.data or folder / "data"
    command = [sys.executable, "-m", "metaflow_core", "up", "--data", str(data.absolute()), "--port", str(options.port)]
    command += ["--stop-within", str(UP_STOPS_WITHIN_S)]
    # in its namespace nobody would reach what it listened on
    command.append("--no-receive")
    # processes are seen wherever they are: only those that talk to the shop are wanted
    for spot in plan.spots():
        command += ["--only-port", str(spot.port)]
    if options.ebpf:
        command += ["--capture", "both"]
    if network is None:
        command += ["--interface", "lo", "--filter", "net 127.0.77.0/24"]
    else:
        for name in network.interfaces:
            command += ["--interface", name]
        # on the wire and on loopback, but not what the pages themselves ask
        command += ["--filter", "net 127.0.77.0/24 or net 10.77.0.0/24"]
        path = str(folder / "pages.sock")
        inner = (sys.executable, "-m", "metaflow_demo.relay", path, str(options.port))
        await processes.start("relay", *inner, holder=network.shop)
        side.append(asyncio.create_task(relay(path, options.port, listen=True)))
    print(flush=True)
    process = await processes.start("up", *command, holder=network.shop if network is not None else 0, shown=True)
    for _ in range(1200):
        if ended.is_set() or process.returncode is not None or await _answers(options.port):
            break
        await asyncio.sleep(0.1)
    if process.returncode is not None and not ended.is_set():
        raise StartError("mflow up did not start; what it said stands above")
    return process


async def _answers(port: int) -> bool:
    """Whether the pages are there, which they are when the capture is."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


async def show_recorded(options: Options) -> int:
    """Show the bundled capture: no privilege is needed."""
    ended = _ended()
    with tempfile.TemporaryDirectory(prefix="mflow-demo-", ignore_cleanup_errors=True) as name:
        processes = Processes(Path(name))
        data = options.data or Path(name) / "data"
        command = [sys.executable, "-m", "metaflow_core", "up", "--data", str(data.absolute())]
        for capture in CAPTURES:
            command += ["--pcap", str(capture)]
        command += ["--port", str(options.port), "--stop-within", str(UP_STOPS_WITHIN_S)]
        print(
            "A recorded shop: gateway, catalog, orders, payments, Redis, MariaDB, PostgreSQL and DNS, under load on a wire that loses packets."
        )
        print(flush=True)
        try:
            process = await processes.start("up", *command, shown=True)
            wait = asyncio.create_task(process.wait())
            try:
                async with asyncio.timeout(options.seconds):
                    await _first(ended, wait)
            except TimeoutError:
                pass
            await processes.stop()
            return _told(process)
        finally:
            await processes.stop()
