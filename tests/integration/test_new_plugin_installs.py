"""``mflow new plugin parser echo`` gives a package that installs, is listed, and whose generated tests pass."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


@pytest.mark.slow
@pytest.mark.skipif(uv() is None, reason="uv is not installed, so no environment can be made for the new package")
def test_new_parser_installs_is_listed_and_passes(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"

    def run(*command: str, cwd: Path = tmp_path) -> str:
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout

    run(str(uv()), "venv", "-q", "--python", sys.executable, str(tmp_path / "env"))
    run(
        str(uv()),
        "pip",
        "install",
        "-q",
        "--python",
        str(python),
        "-c",
        str(ROOT / "constraints.txt"),
        str(ROOT),
        cwd=ROOT,
    )
    mflow = str(python.with_name("mflow"))
    said = run(mflow, "new", "plugin", "parser", "echo")
    assert "pip install -e ." in said
    package = tmp_path / "metaflow-parser-echo"
    run(str(uv()), "pip", "install", "-q", "--python", str(python), "-e", f"{package}[test]")
    rows = {row["name"]: row for row in json.loads(run(mflow, "plugins", "list", "--json"))}
    assert rows["parser-echo"]["state"] == "loaded"
    assert rows["parser-echo"]["kind"] == ["parser"]
    assert "passed" in run(str(python), "-m", "pytest", "-q", cwd=package)
