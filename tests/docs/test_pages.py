"""Links in the documentation lead somewhere, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("plugins/*/README.md")]
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
EXAMPLE = re.compile(r"<!-- example -->\n```(python|yaml|console)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


def examples() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for number, (language, code) in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8"))):
            found.append((f"{page.relative_to(ROOT)}:{number}", language, code))
    return found


@pytest.mark.parametrize(("name", "language", "code"), examples(), ids=lambda value: value if len(value) < 60 else "")
def test_example_runs(name: str, language: str, code: str, tmp_path: Path) -> None:
    captures = ROOT / "tests" / "captures"
    for capture in captures.glob("*.pcap*"):
        (tmp_path / capture.name).symlink_to(capture)
    if language == "python":
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    elif language == "yaml":
        (tmp_path / "metaflow.yaml").write_text(code)
        subprocess.run([sys.executable, "-m", "metaflow_core", "validate", "metaflow.yaml"], cwd=tmp_path, check=True)
    else:
        for line in code.splitlines():
            if line.startswith("$ "):
                command = line[2:].replace("mflow ", f"{sys.executable} -m metaflow_core ", 1)
                subprocess.run(command, shell=True, cwd=tmp_path, check=True, timeout=120)
