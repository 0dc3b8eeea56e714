"""A plugin uses nothing that a third party could not: public names of the core, and never another plugin."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path for path in ROOT.glob("plugins/*/metaflow_*") if (path / "__init__.py").exists())
PUBLIC = (
    "metaflow_core",
    "metaflow_core.api",
    "metaflow_core.errors",
    "metaflow_core.model",
    "metaflow_core.query",
    "metaflow_core.sdk",
    "metaflow_core.tagging",
    "metaflow_core.report",
    "metaflow_core.testing",
    "metaflow_core.hooks",
    "metaflow_core.config",
    "metaflow_core.cli.options",
    "metaflow_core.cli.output",
    "metaflow_core.cli.exits",
    "metaflow_core.cli.installed",
)


def imports(package: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, f"{file.relative_to(ROOT)}:{node.lineno}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                place = f"{file.relative_to(ROOT)}:{node.lineno}"
                yield node.module, place
                yield from (
                    (f"{node.module}.{alias.name}", place) for alias in node.names if alias.name.startswith("_")
                )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_imports_are_public(package: Path) -> None:
    for module, place in imports(package):
        if not module.startswith("metaflow_"):
            continue
        if module.split(".")[0] == package.name:
            continue
        assert module.startswith("metaflow_core"), f"{place}: imports another plugin: {module}"
        assert not any(part.startswith("_") for part in module.split(".")), f"{place}: imports a private name: {module}"
        allowed = any(module == name or module.startswith(f"{name}.") for name in PUBLIC if name != "metaflow_core")
        assert allowed or module == "metaflow_core", f"{place}: not a public module of the core: {module}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_plugin_is_a_distribution_of_its_own(package: Path) -> None:
    folder = package.parent
    for name in ("pyproject.toml", "README.md"):
        assert (folder / name).exists(), f"{folder.name} lacks {name}"
    assert (package / "py.typed").exists(), f"{package.name} lacks py.typed"
    assert any((folder / "tests").glob("test_*.py")), f"{folder.name} has no tests"
