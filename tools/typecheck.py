"""Run mypy on the core and on every plugin, each under its own name (two plugins may have a module of one name)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def targets() -> list[str]:
    """The core, the tools, and the package of each plugin."""
    packages = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/*/metaflow_*") if path.is_dir())
    return ["metaflow_core", "tools", "bench", *packages]


def main() -> int:
    """Exit code of mypy."""
    return subprocess.run([sys.executable, "-m", "mypy", *targets()], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
