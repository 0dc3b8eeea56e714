"""Every hook, command, option and error code stands in docs/reference with its exact signature."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from metaflow_core.cli.plugins import option_rows
from tools.reference.__main__ import PAGES
from tools.reference.commands import commands
from tools.reference.errors import error_classes
from tools.reference.hooks import signature, specifications
from tools.reference.options import first_party

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    assert page(name) == PAGES[name](), f"docs/reference/{name} is out of date; run: python -m tools.reference"


def test_every_hook_with_its_signature() -> None:
    text = page("hooks.md")
    missing = [name for name, function in specifications().items() if signature(function) not in text]
    assert not missing
    assert len(specifications()) == 16


def test_every_command_and_option() -> None:
    text = page("commands.md")
    for name, command in commands():
        if name == "mflow":
            continue
        assert f"\n## {name}\n" in text
        section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert any(option in section for option in parameter.opts), f"{name} {parameter.opts}"


def test_every_command_teaches() -> None:
    for name, command in commands():
        assert command.help, f"{name} has no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help or "--help" in parameter.opts, f"{name} {parameter.opts} has no help"


def test_every_error_code() -> None:
    text = page("errors.md")
    codes = [item.code for item in error_classes()]
    assert len(codes) == len(set(codes))
    assert all(f"`{code}`" in text for code in codes)


def test_every_option_of_every_plugin() -> None:
    text = page("plugins.md")
    for info in first_party():
        for component in info.components:
            section = text.split(f"\n### {component.kind.section}: {component.type}\n", 1)[1].split("\n### ", 1)[0]
            for row in option_rows(component):
                assert f"| `{row['name']}` |" in section, f"{component.type}.{row['name']}"
                assert row["description"], f"{component.type}.{row['name']} has no description"


def test_every_counter() -> None:
    """What is counted in the Python code, by stage and reason, is explained."""
    root = REFERENCE.parents[1]
    text = page("counters.md")
    called = re.compile(
        r"counters\.(?:add|set)\(\s*\"(\w+)\"(?:[^()]|\([^()]*\))*?(?:reason=\"(\w+)\")?(?:[^()]|\([^()]*\))*?\)"
    )
    found: set[tuple[str, str]] = set()
    for file in [*root.glob("metaflow_core/**/*.py"), *root.glob("plugins/*/metaflow_*/**/*.py")]:
        source = file.read_text(encoding="utf-8")
        for match in called.finditer(source):
            reason = re.search(r"reason=\"(\w+)\"", match.group())
            found.add((match.group(1), reason.group(1) if reason else ""))
    assert found
    for stage, reason in sorted(found):
        assert f"`{stage}`" in text, f"the stage {stage!r} is not in docs/reference/counters.md"
        assert not reason or f"`{reason}`" in text, f"the reason {reason!r} is not in docs/reference/counters.md"
