"""Messages a second on one core: every parser alone, native and WebAssembly, beside tshark on the same capture; what inference costs.

The captures are those of real servers that the plugins keep in ``tests/captures``; each is played many times, with new connections
each time. Times are CPU time of this process while the parser has a batch (of tshark: of its process, less that of a run on the
capture played once). Inference: the first payload of both sides of every connection is shown to every parser, whatever its port, which
is more than an engine does; how much that is of the whole depends on how long connections are. What it costs an engine is measured on
mixed traffic of all protocols and of none (``bench/_mixed.py``).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metaflow_engine_flow.parser_library import load as load_native
from metaflow_loader_wasm.loader import WasmLoader

from bench._mixed import Cost, Service, cost
from bench._segments import Segment, batches, segments
from bench.machine import machine
from metaflow_core.api import ParserFactory, ParserRuntime

ROOT = Path(__file__).parent.parent
FLOOR = 500_000
# Captures of the engine's own tests, for the parsers that have none in their folder.
ENGINE = {"http": "http.pcap", "dns": "dns.pcap"}
# How tshark is told the protocol of a port.
TSHARK = {"postgresql": "pgsql", "redis": "resp"}


@dataclass(frozen=True, slots=True)
class Load:
    """A parser and the conversations that it is given."""

    name: str
    factory: ParserFactory
    file: Path
    found: list[Segment]


def main(arguments: list[str]) -> int:
    """Run the benchmark; 1 when a native parser is slower than the floor."""
    parser = argparse.ArgumentParser(prog="script/bench protocols", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time for each parser and runtime (default 1)")
    parser.add_argument("--parsers", nargs="*", help="which (default all that have a capture)")
    parser.add_argument("--no-tshark", action="store_true", help="without tshark")
    parser.add_argument("--mixed", action="store_true", help="only what inference costs on mixed traffic")
    options = parser.parse_args(arguments)
    slow = []
    every = list(loads(options.parsers))
    if options.mixed:
        print(mixed(every), machine(), sep="\n")
        return 0
    print(f"{'capture':<34}{'messages':>9}{'bytes':>9}{'native/s':>12}{'wasm/s':>12}{'tshark/s':>11}")
    for load in every:
        rates = [rate(load, runtime, options.seconds) for runtime in runtimes(load.factory)]
        native, count = rates[0]
        wasm = f"{rates[1][0]:,.0f}" if len(rates) > 1 else "-"
        other = None if options.no_tshark else tshark_rate(load, count)
        size = sum(len(each.payload) for each in load.found)
        shown = "-" if other is None else f"{other:,.0f}"
        print(f"{load.name + ' ' + load.file.stem:<34}{count:>9}{size:>9}{native:>12,.0f}{wasm:>12}{shown:>11}")
        # A floor for small messages: a capture of long ones is bound by its bytes.
        if native < FLOOR and size / max(count, 1) < 200:
            slow.append(f"{load.name} ({load.file.stem})")
    print(inference(every))
    print(mixed(every))
    print(machine())
    for name in slow:
        print(f"{name}: slower than {FLOOR:,} small messages a second", file=sys.stderr)
    return 1 if slow else 0


def loads(names: list[str] | None) -> Iterator[Load]:
    """Every parser with each of its captures."""
    for manifest in sorted(ROOT.glob("plugins/parser-*/metaflow_parser_*/*.metaflow.toml")):
        name = manifest.name.partition(".")[0]
        if names and name not in names:
            continue
        if importlib.util.find_spec(f"metaflow_parser_{name}") is None:
            print(f"{name}: the plugin is not installed, left out", file=sys.stderr)
            continue
        plugin: Any = importlib.import_module(f"metaflow_parser_{name}.plugin")
        factory: ParserFactory = next(iter(plugin.metaflow_parsers()))
        if factory.native is None:
            print(f"{name}: no native build here, left out", file=sys.stderr)
            continue
        files = sorted((manifest.parent.parent / "tests" / "captures").glob("*.pcap"))
        if not files and name in ENGINE:
            files = [ROOT / "plugins" / "engine-flow" / "tests" / "captures" / ENGINE[name]]
        for file in files:
            found = segments(file)
            if found:
                yield Load(name, factory, file, found)


def runtimes(factory: ParserFactory) -> Iterator[ParserRuntime]:
    """The native parser, then the WebAssembly one where it was built."""
    assert factory.native is not None
    yield load_native(factory.native, {}, factory.limits)()
    if factory.wasm is not None and Path(factory.wasm).exists():
        yield WasmLoader().load(factory.wasm, {}, factory.limits)()


def rate(load: Load, runtime: ParserRuntime, seconds: float) -> tuple[float, int]:
    """Messages for each second of CPU time, and messages of the capture played once."""
    found = many(load.found)
    session, spent, messages, once = 1, 0.0, 0, 0
    while spent < seconds:
        for batch in batches(found, session):
            view = memoryview(batch)
            before = time.process_time()
            result = runtime.parse(view)
            spent += time.process_time() - before
            messages += struct.unpack_from("<I", result, 4)[0]
        once = once or messages * len(load.found) // len(found)
        session += 1 + max(each.connection for each in found)
    return messages / spent, once


def many(found: list[Segment], at_least: int = 2048) -> list[Segment]:
    """The conversations again and again with connections of their own, so that a batch is full as it is in an engine."""
    connections = 1 + max(each.connection for each in found)
    copies = -(-at_least // len(found))
    return [replace(each, connection=each.connection + copy * connections) for copy in range(copies) for each in found]


def inference(every: list[Load]) -> str:
    """What the checks of all parsers cost for a connection, and how many messages make that little."""
    parsers = {load.name: next(runtimes(load.factory)) for load in every}
    checking = parsing = 0.0
    connections = messages = taken = 0
    for load in every:
        found = many(load.found)
        first: dict[tuple[int, int], Segment] = {}
        for each in found:
            first.setdefault((each.connection, each.direction), each)
        connections += len({connection for connection, _ in first})
        (batch, *_) = batches(list(first.values()), 1, size=1 << 20)
        for name, runtime in parsers.items():
            before = time.process_time()
            result = runtime.check(memoryview(batch))
            checking += time.process_time() - before
            if name != load.name:
                taken += sum(verdict > 1 for verdict in verdicts(bytes(result)))
        for batch in batches(found, 1):
            before = time.process_time()
            result = parsers[load.name].parse(memoryview(batch))
            parsing += time.process_time() - before
            messages += struct.unpack_from("<I", result, 4)[0]
    each_check, each_message = checking / connections, parsing / messages
    return (
        f"inference: {1e6 * each_check:.2f} us for a connection shown to all {len(parsers)} parsers, {1e6 * each_message:.2f} us "
        f"for parsing a message: 10 % of the parsers' time at {9 * each_check / each_message:.0f} messages a connection; "
        f"{taken} conversations claimed by a parser of another protocol"
    )


def mixed(every: list[Load]) -> Cost:
    """What the engine spends on finding out, over all captures at once and over traffic that nobody knows."""
    return cost([Service(load.name, load.found) for load in every], {load.name: load.factory for load in every})


def verdicts(result: bytes) -> bytes:
    """The column of verdicts: 0 no, 1 more, 2 request, 3 response."""
    rows, columns = struct.unpack_from("<II", result, 4)
    at = 16
    for _ in range(columns):
        number, _, flags, size = struct.unpack_from("<HBBI", result, at)
        if number == 1:
            start = at + 8 + ((rows + 63) // 64 * 8 if flags & 1 else 0)
            return result[start : start + rows]
        at += 8 + (size + 7) // 8 * 8
    return b""


def tshark_rate(load: Load, count: int) -> float | None:
    """The same messages for each second of tshark's CPU time, without its start-up; None where it is not installed."""
    path = shutil.which("tshark")
    if path is None:
        return None
    times = 40
    ports = {each.port for each in load.found}
    decode = [
        word
        for port in sorted(ports)
        for word in (
            "-d",
            f"{'udp' if load.found[0].transport == 17 else 'tcp'}.port=={port},{TSHARK.get(load.name, load.name)}",
        )
    ]
    data = load.file.read_bytes()
    with tempfile.TemporaryDirectory(prefix="metaflow-bench-") as folder:
        long = Path(folder) / "long.pcap"
        long.write_bytes(data[:24] + b"".join(_later(data[24:], number * 1000) for number in range(times)))
        spent = []
        for file in (load.file, long):
            before = _children()
            command = [path, "-r", str(file), *decode, "-T", "fields", "-e", "frame.protocols"]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            spent.append(_children() - before)
    work = spent[1] - spent[0]
    return count * (times - 1) / work if work > 0 else None


def _later(records: bytes, seconds: int) -> bytes:
    out, at = bytearray(records), 0
    while at + 16 <= len(out):
        then, _, length = struct.unpack_from("<III", out, at)
        struct.pack_into("<I", out, at, then + seconds)
        at += 16 + length
    return bytes(out)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main(sys.argv[1:]))
