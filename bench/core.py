"""The core: start-up of the command line, import, a list of 50 plugins, dispatch to a component; against bare Python."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path
from statistics import median

PLUGIN = """
from metaflow_core import Config, Field, TaggerFactory, hookimpl

class C{n}(Config):
    depth: int = Field(3, description="How deep.")

@hookimpl
def metaflow_taggers():
    return [TaggerFactory(type="bench_{n}", config=C{n}, create=lambda context, config: object(), summary="Bench.")]
"""


def cpu_seconds(*command: str, rounds: int = 7, env: dict[str, str] | None = None) -> float:
    """Median CPU time (user and system) of a command."""
    times: list[float] = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env or clean_environment())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(times)


def fifty_plugins(folder: Path) -> dict[str, str]:
    """An environment with 50 installed plugins more than there are."""
    for number in range(50):
        info = folder / f"metaflow_bench_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: metaflow-bench-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[metaflow.plugins.v1]\nbench-{number} = metaflow_bench_{number}\n")
        (folder / f"metaflow_bench_{number}.py").write_text(PLUGIN.format(n=number))
    return {**clean_environment(), "PYTHONPATH": str(folder)}


def clean_environment() -> dict[str, str]:
    """This environment, with byte code kept as on any machine that runs a program twice."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def dispatch_ns() -> float:
    """Nanoseconds to find a component's factory by kind and type."""
    from metaflow_core.api import Kind
    from metaflow_core.hooks.host import PluginHost

    host = PluginHost()
    host.load()
    kind, name = next((k, n) for k in Kind for n in host.factories(k))
    rounds = 200_000
    return timeit.timeit(lambda: host.registry.factory(kind, name), number=rounds) / rounds * 1e9


def main(arguments: list[str]) -> int:
    """Print the numbers; ``--json`` for machines."""
    from bench.machine import machine

    python, mflow = sys.executable, str(Path(sys.executable).with_name("mflow"))
    subprocess.run([mflow, "--help"], check=True, stdout=subprocess.DEVNULL, env=clean_environment())
    floor = cpu_seconds(python, "-c", "pass")
    with tempfile.TemporaryDirectory() as name:
        env = fifty_plugins(Path(name))
        # the first list compiles the plugins; a machine that has them installed has done that
        subprocess.run([mflow, "plugins", "list"], check=True, stdout=subprocess.DEVNULL, env=env)
        numbers = {
            "python -c pass (floor)": floor,
            "mflow --help": cpu_seconds(mflow, "--help"),
            "import metaflow_core": cpu_seconds(python, "-c", "import metaflow_core"),
            "import metaflow_core.api": cpu_seconds(python, "-c", "import metaflow_core.api"),
            "mflow plugins list (50 more)": cpu_seconds(mflow, "plugins", "list", env=env),
        }
    dispatch = dispatch_ns()
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "cpu_seconds": numbers, "dispatch_ns": dispatch}, indent=2))
        return 0
    print(machine())
    for what, seconds in numbers.items():
        print(f"  {what:<30} {seconds * 1000:7.0f} ms CPU   {seconds / floor:5.1f} x floor")
    print(f"  {'dispatch to a component':<30} {dispatch:7.0f} ns")
    return 0
