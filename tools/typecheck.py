"""Run mypy on the core and on every plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def packages() -> list[Path]:
    """The package of each plugin."""
    return sorted(path for path in ROOT.glob("plugins/*/metaflow_*") if (path / "__init__.py").exists())


def main() -> int:
    """Exit code of mypy."""
    targets = ["metaflow_core", "tools", "bench", *(str(path.relative_to(ROOT)) for path in packages())]
    # each plugin's folder is a base of its own, so that its package has one name only
    bases = os.pathsep.join(str(path.parent) for path in packages())
    environment = {**os.environ, "MYPYPATH": bases}
    return subprocess.run([sys.executable, "-m", "mypy", *targets], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
