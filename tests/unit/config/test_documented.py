"""Every option of the core and every counter it keeps stands in the reference."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from metaflow_core.config.sections import COMPONENT_KINDS, CoreKeys, PipelineSection, PluginsSection, ServiceSection

ROOT = Path(__file__).parents[3]
OPTIONS = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
COUNTERS = (ROOT / "docs/reference/counters.md").read_text(encoding="utf-8")


def _options(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = [each for each in (field.annotation, *typing.get_args(field.annotation)) if isinstance(each, type)]
        models = [each for each in inner if not typing.get_args(each) and issubclass(each, BaseModel)]
        listed = "[]" if typing.get_origin(field.annotation) is tuple else ""
        if models:
            yield from _options(models[0], f"{prefix}{name}{listed}.")
        else:
            yield f"{prefix}{field.alias or name}"


@pytest.mark.parametrize("section", [PluginsSection, PipelineSection, ServiceSection, CoreKeys])
def test_every_option_is_documented_and_described(section: type[BaseModel]) -> None:
    missing = [option for option in _options(section) if f"`{option}`" not in OPTIONS]
    assert missing == []
    assert all(field.description for field in section.model_fields.values())


def test_every_section_is_documented() -> None:
    for kind in COMPONENT_KINDS:
        assert f"`{kind.section}`" in OPTIONS


def test_documented_defaults_are_the_real_ones() -> None:
    tables: list[tuple[type[BaseModel], str]] = [(PipelineSection, "queue."), (ServiceSection, "")]
    for model, rows in tables:
        for name, text in re.findall(rf"^\| `{re.escape(rows)}(\w+)` \| `(\w+)` \|", OPTIONS, re.MULTILINE):
            owner: object = model.model_fields["queue"].annotation if rows else model
            if isinstance(owner, type) and issubclass(owner, BaseModel) and name in owner.model_fields:
                default = owner.model_fields[name].default
                assert text == str(getattr(default, "value", default)).removesuffix(".0"), name


def _counted(pattern: str) -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "metaflow_core/pipeline").glob("*.py"):
        found |= set(re.findall(pattern, file.read_text(encoding="utf-8")))
    return found


def test_every_counter_is_documented() -> None:
    stages = _counted(r'counters\.add\(\s*"(\w+)"')
    reasons = (
        _counted(r'reason="(\w+)"') | _counted(r'why_dead = "(\w+)"') | _counted(r'(?:_lose|_drop)\(\w+, "(\w+)"\)')
    )
    assert {"received", "sent", "dropped"} < stages
    assert {"stopped", "queue_full", "quarantined", "not_started"} < reasons
    assert [name for name in sorted(stages | reasons) if f"`{name}`" not in COUNTERS] == []
