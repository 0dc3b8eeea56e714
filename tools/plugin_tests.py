"""Run each plugin's own tests, in its own folder and its own pytest process, as a third party would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5


def main(arguments: list[str]) -> int:
    """Run them all, and say at the end which failed. Arguments: names of plugins, then pytest's own after them."""
    names = [item for item in arguments if not item.startswith("-")]
    options = [item for item in arguments if item.startswith("-")]
    failed: list[str] = []
    for tests in sorted(ROOT.glob("plugins/*/tests")):
        plugin = tests.parent.name
        if (names and plugin not in names) or not any(tests.glob("test_*.py")):
            continue
        print(f"--- {plugin}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(tests), *options]
        code = subprocess.run(command, cwd=tests.parent, check=False).returncode
        if code not in {0, NO_TESTS_COLLECTED}:
            failed.append(plugin)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
