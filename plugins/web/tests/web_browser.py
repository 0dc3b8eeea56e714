"""The scripts that drive Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from metaflow_web.assets import BUILT

__all__ = ["drive"]

WEB = Path(__file__).parents[1]
PICTURES = WEB / "pictures"
CHROMIUM = os.environ.get("METAFLOW_CHROMIUM", "/usr/bin/chromium")


def drive(script: str, task: str, url: str, more: str = "") -> Any:
    """Runs one of ``scripts`` and reads what it found.

    :param more: its last argument; the folder of pictures where nothing is said.
    """
    node = shutil.which("node")
    if node is None or not (WEB / "node_modules" / "playwright-core").is_dir():
        pytest.skip("node or playwright-core is missing; install Node 20 and run plugins/web/build.sh")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing; run: apt-get install chromium")
    if not (BUILT / "index.html").is_file():
        pytest.skip("the pages are not built; run plugins/web/build.sh")
    PICTURES.mkdir(exist_ok=True)
    done = subprocess.run(
        [node, f"scripts/{script}", task, url, more or str(PICTURES)],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
