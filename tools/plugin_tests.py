"""Run each plugin's own tests, in its own folder and its own pytest process, as a third party would.

As many suites run at a time as there are processors. A suite that watches the whole machine (its processes, its system
calls) says so in its plugin's `pyproject.toml`, `[tool.metaflow-tests] alone = "why"`: it runs when the others are done.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Suite:
    """One plugin's tests."""

    plugin: str
    tests: Path
    is_alone: bool

    @property
    def weight(self) -> int:
        """Bytes of test code: what is long starts first, so that it is not what all wait for in the end."""
        return sum(file.stat().st_size for file in self.tests.rglob("test_*.py"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a suite said."""

    suite: Suite
    code: int
    output: str
    seconds: float

    @property
    def is_failed(self) -> bool:
        """Whether a test failed, or the suite could not run."""
        return self.code not in {0, NO_TESTS_COLLECTED}


def suites(names: Sequence[str]) -> list[Suite]:
    """The suites of these plugins, of all without names."""
    found = []
    for tests in sorted(ROOT.glob("plugins/*/tests")):
        plugin = tests.parent.name
        if (names and plugin not in names) or not any(tests.glob("test_*.py")):
            continue
        project = tomllib.loads((tests.parent / "pyproject.toml").read_text(encoding="utf-8"))
        found.append(Suite(plugin, tests, "alone" in project.get("tool", {}).get("metaflow-tests", {})))
    return found


def run(suite: Suite, options: Sequence[str]) -> Outcome:
    """Run one suite and keep what it prints."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(suite.tests), *options]
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=suite.tests.parent, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Outcome(suite, done.returncode, done.stdout, time.monotonic() - begun)


def outcomes(chosen: Iterable[Suite], options: Sequence[str], jobs: int) -> Iterable[Outcome]:
    """Run the suites, each outcome as soon as it is there; those that run alone come last."""
    heaviest_first = sorted(chosen, key=lambda suite: suite.weight, reverse=True)
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed(
            [pool.submit(run, suite, options) for suite in heaviest_first if not suite.is_alone]
        ):
            yield future.result()
    for suite in heaviest_first:
        if suite.is_alone:
            yield run(suite, options)


def main(arguments: list[str]) -> int:
    """Run them all, print each suite's output when it ends, and say at the end which failed; 1 when one did."""
    parser = argparse.ArgumentParser(prog="python -m tools.plugin_tests", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="suites at a time (default: processors)")
    parser.add_argument("plugins", nargs="*", help="names of plugins (default: all)")
    known, options = parser.parse_known_args(arguments)
    chosen = suites(known.plugins)
    if unknown := set(known.plugins) - {suite.plugin for suite in chosen}:
        print(
            f"No plugin with tests is named {', '.join(sorted(unknown))}; see the folders of plugins/.", file=sys.stderr
        )
        return 2
    done: list[Outcome] = []
    for outcome in outcomes(chosen, options, max(1, known.jobs)):
        print(f"--- {outcome.suite.plugin} ({outcome.seconds:.0f} s)\n{outcome.output}", flush=True)
        done.append(outcome)
    slowest = sorted(done, key=lambda outcome: outcome.seconds, reverse=True)[:5]
    print("Slowest: " + ", ".join(f"{outcome.suite.plugin} {outcome.seconds:.0f} s" for outcome in slowest))
    failed = sorted(outcome.suite.plugin for outcome in done if outcome.is_failed)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
