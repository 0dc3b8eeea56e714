"""The pages with much to show, in Chromium: elements, lengths of frames, heap after a tab was open for long."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import machine
from metaflow_core.testing import free_port

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
TASKS = ("map", "table", "day")


@contextmanager
def _pages(log: Path) -> Iterator[str]:
    """``mflow up`` with the shop's capture; what it says goes to ``log``."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    capture = str(ROOT / "tests" / "captures" / "shop.pcap")
    command = [
        sys.executable,
        "-m",
        "metaflow_core",
        "up",
        "--pcap",
        capture,
        "--port",
        str(port),
        "--data",
        str(log.parent / "data"),
    ]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as running:
        try:
            for _ in range(600):
                if _answers(url):
                    break
                if running.poll() is not None:
                    raise SystemExit(f"mflow up did not start:\n{log.read_text(encoding='utf-8')}")
                threading.Event().wait(0.2)
            yield url
        finally:
            running.terminate()
            running.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}v1/status", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _show(name: str, found: dict[str, Any]) -> None:
    for key, value in found.items():
        if isinstance(value, dict) and any(isinstance(each, dict) for each in value.values()):
            _show(f"{name} {key}", value)
        else:
            print(f"{name} {key}: {json.dumps(value, ensure_ascii=False)}")


def main(arguments: list[str]) -> int:
    """Prints one line for each thing measured; exit code 0."""
    options = argparse.ArgumentParser(prog="script/bench web", description=__doc__)
    options.add_argument("parts", nargs="*", help="map, table, day; all when none is named")
    options.add_argument("--rounds", type=int, default=3000, help="refreshes of each screen for day (default 3000)")
    given = options.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="mflow-bench-web-") as folder, _pages(Path(folder) / "up.log") as url:
        for part in given.parts or TASKS:
            if part not in TASKS:
                raise SystemExit(f"there is no part {part!r}; there are {', '.join(TASKS)}")
            command = ["node", "scripts/scale.mjs", part, url, str(given.rounds)]
            done = subprocess.run(command, cwd=ROOT / "plugins" / "web", capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(
                    f"Chromium could not be driven; is it installed, and plugins/web built?\n{done.stderr}"
                )
            _show(part, json.loads(done.stdout))
    return 0
