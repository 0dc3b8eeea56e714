"""``mflow new plugin``: what it makes has the right files, and passes its own tests without being installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metaflow_core.cli.new import render
from metaflow_core.cli.root import run_cli

KINDS = ("parser", "collector", "tagger", "storage", "dialect", "exporter", "service")


@pytest.mark.parametrize("kind", KINDS)
def test_paths_are_exactly_these(kind: str, tmp_path: Path) -> None:
    made = {str(path.relative_to(tmp_path)) for path in render(kind, "my_thing", tmp_path)}
    module = f"metaflow_{kind}_my_thing"
    assert made == {
        ".gitignore",
        "README.md",
        "pyproject.toml",
        f"{module}/__init__.py",
        f"{module}/plugin.py",
        f"{module}/py.typed",
        "tests/test_my_thing.py",
    }
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert "@" not in path.read_text().replace("@hookimpl", ""), f"{path.name} has a placeholder left"


@pytest.mark.parametrize("kind", KINDS)
def test_generated_tests_pass(kind: str, tmp_path: Path) -> None:
    render(kind, "my_thing", tmp_path)
    # what pip would leave behind, without the time that pip takes; tests/integration installs one for real
    info = tmp_path / f"metaflow_{kind}_my_thing-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: metaflow-{kind}-my-thing\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(
        f"[metaflow.plugins.v1]\n{kind}-my-thing = metaflow_{kind}_my_thing.plugin\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_mistakes_are_sentences(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_cli(["new", "plugin", "parser", "Not-Good"]) == 2
    assert "cannot be a component's name" in capsys.readouterr().err
    assert run_cli(["new", "plugin", "tagger", "x", "--wasm"]) == 2
    assert "--wasm goes with the kind parser" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert run_cli(["new", "plugin", "tagger", "x", "--out", str(tmp_path)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err
