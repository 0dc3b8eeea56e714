"""From a pod's event to its rows: a real control plane, an agent that watches it, the link, a server that tags, stores and is asked."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

import metaflow_core as mf
from bench.machine import machine
from metaflow_core import CollectorFactory, Config, hookimpl
from metaflow_core.api import BuildContext, Emit, RecordBatch

_TESTS = Path(__file__).resolve().parent.parent / "plugins" / "tagger-kubernetes" / "tests" / "control_plane"
_FIRST = int(IPv4Address("10.9.0.1"))
_EVERY_S = 0.1


class Traffic:
    """A row to every pod, ten times a second."""

    pods = 0

    def __init__(self, context: BuildContext, config: Config) -> None:
        self._count = 0

    async def run(self, emit: Emit) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            pods = Traffic.pods
            self._count += 1
            columns = {
                "end_time": pa.array([time.time_ns() // 1000] * pods, pa.int64()).cast(pa.timestamp("us", "UTC")),
                "ip4_1": pa.array(range(_FIRST, _FIRST + pods), pa.uint32()),
                "is_ipv4": pa.array([True] * pods),
                "flow_id": pa.array(range(self._count * pods, (self._count + 1) * pods), pa.uint64()),
            }
            await emit(RecordBatch("flow_log.l7_flow_log", pa.record_batch(columns)))


@hookimpl
def metaflow_collectors() -> list[CollectorFactory]:
    """The rows of this benchmark."""
    return [
        CollectorFactory(
            type="bench",
            config=Config,
            create=cast("Any", Traffic),
            emits=frozenset({"records"}),
            summary="Rows to pods.",
        )
    ]


class _Plugin:
    metaflow_collectors = staticmethod(metaflow_collectors)


def main(arguments: list[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="script/bench tagging_live", description=__doc__)
    parser.add_argument("--pods", type=int, default=20)
    options = parser.parse_args(arguments)
    print(machine())
    build, plane = (_beside(name) for name in ("build", "plane"))
    if build.missing():
        print(build.missing())
        return 0
    # the control plane made its certificate itself
    warnings.filterwarnings("ignore", "Unverified HTTPS request")
    with tempfile.TemporaryDirectory() as folder:
        control = plane.Plane(Path(folder) / "plane")
        try:
            control.start()
            control.node("node-1", "192.168.7.1", "eu-a")
            asyncio.run(_measure(control, Path(folder), options.pods))
        finally:
            control.stop()
    return 0


def _beside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"control_plane_{name}", _TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.asynccontextmanager
async def _apps(control: Any, folder: Path) -> AsyncIterator[Any]:
    server = {
        "service": {"data_dir": str(folder / "server")},
        "collectors": {"metaflow": {"listen": "127.0.0.1:0"}},
        "taggers": {"metaflow": {}},
        "storages": {"memory": {}},
        "dialects": {"sql": {}},
        "pipelines": {"agents": {"collectors": ["metaflow"], "taggers": ["metaflow"], "storages": ["memory"]}},
    }
    async with mf.App(server, autoload=True) as app:
        units = app._runtime.generation.units.values()  # noqa: SLF001 - the port that the system gave
        receiver = next(unit.component for unit in units if hasattr(unit.component, "port"))
        tagger = {"kubeconfig": str(control.kubeconfig()), "cluster": "bench", "elect": True, "lease_s": 5}
        agent = {
            "service": {"data_dir": str(folder / "agent")},
            "collectors": {"bench": {}},
            "taggers": {"kubernetes": tagger},
            "storages": {"metaflow": {"server": f"127.0.0.1:{receiver.port}"}},
            "pipelines": {"live": {"collectors": ["bench"], "taggers": ["kubernetes"], "storages": ["metaflow"]}},
        }
        async with mf.App(agent, plugins=[_Plugin()], autoload=True):
            yield app


async def _measure(control: Any, folder: Path, pods: int) -> None:
    Traffic.pods = pods
    path = "/api/v1/namespaces/default/pods"
    began: dict[str, float] = {}
    shown: dict[str, float] = {}
    async with _apps(control, folder) as server:
        # the election, the first picture, and what is compiled at first use
        await asyncio.sleep(8)
        for number in range(pods):
            name = f"p-{number}"
            item = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
            pod = await asyncio.to_thread(control.call, "POST", path, item)
            began[name] = time.time()
            await asyncio.to_thread(control.bind, pod, "node-1", str(ip_address(_FIRST + number)))
            while name not in shown and time.time() < began[name] + 20:
                question = f"SELECT Count(row) AS n FROM l7_flow_log WHERE pod_1 = '{name}'"
                with contextlib.suppress(mf.MetaFlowError):
                    if (await server.query("sql", question)).table.to_pylist()[0]["n"]:
                        shown[name] = time.time()
                await asyncio.sleep(0.02)
        rows = (
            await server.query("sql", "SELECT pod_1, ip_1, end_time FROM l7_flow_log LIMIT 1000000")
        ).table.to_pylist()
    first = {
        name: min((row["end_time"].timestamp() for row in rows if row["pod_1"] == name), default=0) for name in began
    }
    last = {
        name: max(
            (
                row["end_time"].timestamp()
                for row in rows
                if row["pod_1"] != name and row["ip_1"] == str(ip_address(_FIRST + n))
            ),
            default=0,
        )
        for n, name in enumerate(began)
    }
    for what, found in (
        ("its first row that carries it was made", {name: first[name] - began[name] for name in began}),
        ("its last row that does not was made", {name: last[name] - began[name] for name in began}),
        ("a question shows it", {name: shown.get(name, 0) - began[name] for name in began}),
    ):
        told = sorted(found.values())
        print(
            f"{what:42}: median {told[len(told) // 2]:5.2f} s after the event, longest {told[-1]:5.2f} s ({pods} pods)"
        )
