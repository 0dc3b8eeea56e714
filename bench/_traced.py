"""Real programs under the kernel collector, and their traces against what the programs themselves wrote down. Used by ``bench.tracing``."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.ebpf import running
from metaflow_core.testing import free_port

TIERS = Path(__file__).parent / "tiers"
_ID = re.compile(r"id-[0-9a-f]{12}")
DATABASES = ("go", "redis-server", "mariadbd", "mariadb-install-db", "setpriv")
_NAMED = ("request_resource", "endpoint", "request_type")


@dataclass(slots=True)
class Judged:
    """Links against the truth.

    :ivar calls: that programs made because of a request. :ivar right: linked to what caused them. :ivar wrong: linked to something else,
        or to something though nothing caused them. :ivar none: not linked. :ivar joined: calls seen by both ends that are one hop.
    :ivar split: calls seen by both ends that are not. :ivar mixed: hops in which rows of two calls stand. :ivar unseen: calls without a row.
    """

    calls: int = 0
    right: int = 0
    wrong: int = 0
    none: int = 0
    joined: int = 0
    split: int = 0
    mixed: int = 0
    unseen: int = 0


def id_of(span: Any) -> str:
    """The id that stands in a row's path, key or method."""
    for name in _NAMED:
        found = _ID.search(str(span[name] or ""))
        if found:
            return found.group()
    return ""


def judge(traces: Sequence[Any], truth: dict[str, str]) -> Judged:
    """Every link of the traces against what the programs wrote down."""
    out = Judged(calls=len(truth))
    seen: dict[str, list[tuple[int, int, str]]] = {}
    linked: dict[str, str] = {}
    for number, trace in enumerate(traces):
        names: dict[int, set[str]] = {}
        for node in trace.nodes:
            name = id_of(node.span)
            if not name:
                continue
            names.setdefault(node.hop, set()).add(name)
            seen.setdefault(name, []).append((number, node.hop, node.span.point))
            above = None if node.parent is None else trace.nodes[node.parent]
            if above is not None and above.hop != node.hop:
                linked[name] = id_of(above.span)
        out.mixed += sum(len(each) > 1 for each in names.values())
    for name, places in seen.items():
        if {"c-p", "s-p"} <= {point for _, _, point in places}:
            whole = len({(trace, hop) for trace, hop, _ in places}) == 1
            out.joined += whole
            out.split += not whole
        cause = linked.get(name)
        if name in truth:
            out.right += cause == truth[name]
            out.none += cause is None
        out.wrong += cause is not None and cause != truth.get(name)
    out.unseen = sum(name not in seen for name in truth)
    return out


def truth_of(path: Path) -> dict[str, str]:
    """Child -> parent."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {child: parent for parent, child in (line.split() for line in lines)}


class Stage:
    """Where the programs of one scenario stand.

    :ivar truth: the file to which they write what calls what. :ivar ports: on which they listen. :ivar folder: for whatever they need.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        self.truth = folder / "truth"
        self.ports: list[int] = []
        self.stack = stack

    def tier(self, words: Sequence[str], **environment: str) -> str:
        """Start a tier; its place, once it has told its port."""
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.stack.callback(ended, process)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(words)} ended before it listened")
        self.ports.append(int(line))
        return f"{environment.get('HOST', '127.0.0.1')}:{line}"

    def mariadb(self) -> str:
        """Start MariaDB; what Go's driver calls its place."""
        port, data = free_port(), self.folder / "mariadb"
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"]
        subprocess.run([*make, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        words = [
            "mariadbd",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
        ]
        self.stack.enter_context(running([*words, f"--socket={self.folder}/mariadb.socket"], port))
        self.ports.append(port)
        return f"mysql:root@tcp(127.0.0.1:{port})/mysql"

    def postgresql(self) -> str:
        """Start PostgreSQL, which refuses to run as root; what Go's driver calls its place."""
        port, home = free_port(), Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.chown(home, "nobody")
        options = [
            "-c",
            "fsync=off",
            "-c",
            f"port={port}",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={home}",
        ]
        binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
        make = [str(binaries / "initdb"), "-D", str(home / "data"), "-U", "postgres", "--auth=trust", "-N"]
        subprocess.run(make, user="nobody", cwd=home, check=True, capture_output=True)
        words = [
            "setpriv",
            "--reuid=nobody",
            "--clear-groups",
            str(binaries / "postgres"),
            "-D",
            str(home / "data"),
            *options,
        ]
        self.stack.enter_context(running(words, port))
        self.ports.append(port)
        return f"postgres:postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"

    def redis(self) -> str:
        """Start Redis; its place."""
        port = free_port()
        words = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self.stack.enter_context(running(words, port))
        self.ports.append(port)
        return f"127.0.0.1:{port}"


def ended(process: subprocess.Popen[str]) -> None:
    """Stop a program by its process id."""
    process.terminate()
    process.wait(20)
    if process.stdout:
        process.stdout.close()


Build = Callable[[Stage], str]
Command = Callable[..., list[str]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Programs and their clients.

    :ivar build: starts the tiers and gives the front's place. :ivar certain: every link must be there; else links may be missing.
    :ivar needs: programs without which it is left out.
    """

    name: str
    build: Build
    clients: int = 32
    each: int = 6
    headers: str = "none"
    certain: bool = False
    over: str = "http"
    needs: tuple[str, ...] = ()


def chain(command: Command) -> Build:
    """Three tiers: the front asks the middle and the back, the middle asks the back."""

    def build(stage: Stage) -> str:
        truth = str(stage.truth)
        back = stage.tier(command(truth))
        middle = stage.tier(command(truth, back))
        return stage.tier(command(truth, middle, back))

    return build


def python(program: str, *options: str) -> Command:
    """The command of a tier in Python."""
    return lambda truth, *behind: [sys.executable, str(TIERS / program), truth, *options, *behind]


def redis_behind(stage: Stage) -> str:
    """A threaded front whose threads send Redis three commands in one piece."""
    return stage.tier(python("tier.py", "none", "pipeline")(str(stage.truth), stage.redis()))


def grpc_front(stage: Stage) -> str:
    """Streams of gRPC, each message of which makes a call."""
    back = stage.tier(python("tier.py", "none", "fresh")(str(stage.truth)))
    return stage.tier(python("stream.py")(str(stage.truth), back))


def in_go(headers: str) -> Build:
    """Three tiers in Go."""

    def build(stage: Stage) -> str:
        program = str(stage.folder / "tier")
        subprocess.run(["go", "build", "-o", program, str(TIERS / "tier.go")], check=True)
        return chain(lambda truth, *behind: [program, truth, headers, *behind])(stage)

    return build


def with_drivers(how: str) -> Build:
    """A front in Go that asks another tier, Redis, MariaDB and PostgreSQL."""

    def build(stage: Stage) -> str:
        program, truth = str(stage.folder / "drivers"), str(stage.truth)
        subprocess.run(["go", "build", "-o", program, "."], cwd=TIERS / "drivers", check=True)
        back = stage.tier([program, truth, "own"])
        places = [f"http:{back}", f"redis:{stage.redis()}", stage.mariadb(), stage.postgresql()]
        return stage.tier([program, truth, how, *places])

    return build


def in_node(headers: str) -> Build:
    """Three tiers in Node.js."""
    return chain(lambda truth, *behind: ["node", str(TIERS / "tier.js"), truth, headers, *behind])


def in_java(headers: str) -> Build:
    """Three tiers in Java."""
    words = ["java", "-XX:+UseSerialGC", "-Xmx64m", str(TIERS / "Tier.java")]
    return chain(lambda truth, *behind: [*words, truth, headers, *behind])


SCENARIOS = (
    Scenario("threads", chain(python("tier.py", "none", "fresh")), certain=True),
    Scenario("threads, connection pool", chain(python("tier.py", "none", "pool")), certain=True),
    Scenario("threads, Redis pipeline", redis_behind, certain=True, needs=("redis-server",)),
    Scenario("threads that hand calls on", chain(python("tier.py", "none", "handoff")), clients=16),
    Scenario("threads that hand calls on, b3", chain(python("tier.py", "b3", "handoff")), 16, headers="b3", certain=True),
    Scenario("asyncio", chain(python("loop.py", "none"))),
    Scenario("asyncio, one client", chain(python("loop.py", "none")), clients=1, each=20),
    Scenario("asyncio, b3", chain(python("loop.py", "b3")), headers="b3", certain=True),
    Scenario("gRPC streams", grpc_front, clients=8, over="grpc"),
    Scenario("Go", in_go("none"), certain=True, needs=("go",)),
    Scenario("Go, connections kept", in_go("none"), certain=True, over="kept", needs=("go",)),
    Scenario("Go, drivers", with_drivers("own"), certain=True, over="kept", needs=DATABASES),
    Scenario("Go, drivers, one client", with_drivers("own"), clients=1, each=50, certain=True, over="kept", needs=DATABASES),
    Scenario("Go, drivers, a goroutine for each call", with_drivers("fan"), needs=DATABASES),
    Scenario("Go, drivers, a goroutine for each call, kept", with_drivers("fan"), over="kept", needs=DATABASES),
    Scenario("Go, drivers, after the answer", with_drivers("late"), over="kept", needs=DATABASES),
    Scenario("Go, b3", in_go("b3"), headers="b3", certain=True, needs=("go",)),
    Scenario("Node.js", in_node("none"), needs=("node",)),
    Scenario("Node.js, b3", in_node("b3"), headers="b3", certain=True, needs=("node",)),
    Scenario("Java", in_java("none"), each=3, needs=("java",)),
    Scenario("Java, b3", in_java("b3"), each=3, headers="b3", certain=True, needs=("java",)),
)  # fmt: skip


async def rows_of(clients: Sequence[str], config: dict[str, Any]) -> Any:
    """What an app with the kernel collector has stored once nothing more comes."""
    import metaflow_core as mf
    from metaflow_core.api import Kind
    from metaflow_core.query import Scan

    app = mf.App(
        {
            "collectors": {"ebpf": config},
            "storages": {"memory": {}},
            "pipelines": {"live": {"collectors": ["ebpf"], "parsers": ["http", "http2", "redis", "mysql", "postgresql"], "storages": ["memory"]}},
        },
        autoload=True,
    )  # fmt: skip
    async with app:
        unit = app._runtime.generation.unit(Kind.STORAGE, mf.ComponentId("memory"))  # noqa: SLF001 - not told otherwise
        storage: Any = unit.component
        await asyncio.sleep(1.0)
        await asyncio.to_thread(subprocess.run, clients, check=True, timeout=300)
        before, table = -1, await storage.execute(Scan("flow_log.l7_flow_log"))
        while table.num_rows != before:
            before = table.num_rows
            await asyncio.sleep(2.0)
            table = await storage.execute(Scan("flow_log.l7_flow_log"))
    return table


def run(scenario: Scenario) -> dict[str, Any]:
    """One scenario: what was linked right and wrong, and by what."""
    from metaflow_tracing.assembly.assemble import assemble_all
    from metaflow_tracing.rules.load import load_rules
    from metaflow_tracing.spans import spans_of

    with ExitStack() as stack:
        stage = Stage(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        front = scenario.build(stage)
        words = [sys.executable, str(TIERS / "ask.py"), front, str(scenario.clients), str(scenario.each)]
        words += [scenario.headers, scenario.over]
        config = {"ports": stage.ports, "ring_mib": 64, "tls": {"enabled": False}}
        table = asyncio.run(rows_of(words, config))
        truth = truth_of(stage.truth)
    traces = assemble_all(spans_of(table), load_rules())
    found = judge(traces, truth)
    kinds = [node.edge.kind for trace in traces for node in trace.nodes if node.edge and node.edge.relation != "same"]
    return {"name": scenario.name, **asdict(found), "by": {kind: kinds.count(kind) for kind in sorted(set(kinds))}}


def run_all(only: str = "") -> Iterator[tuple[Scenario, dict[str, Any]]]:
    """Every scenario whose programs are there."""
    from bench._traced_hosts import NAME, run_hosts

    if only in NAME and shutil.which("ip") and shutil.which("tcpdump"):
        yield Scenario(NAME, chain(python("tier.py")), certain=True), run_hosts()
    for scenario in SCENARIOS:
        if only in scenario.name and all(shutil.which(each) for each in scenario.needs):
            yield scenario, run(scenario)
