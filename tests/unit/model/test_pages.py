"""The reference pages say what the catalogue says."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.docs import main
from metaflow_core.model.catalog.pages import NOTE

PAGES = Path(__file__).parents[3] / "docs" / "reference" / "records"


def test_the_pages_in_the_repository_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(PAGES)]) == 0, capsys.readouterr().out


def test_every_column_metric_tag_and_member_is_documented() -> None:
    catalog = load_catalog()
    for table in catalog.tables.values():
        text = (PAGES / f"{table.family}.md").read_text()
        assert all(f"| `{name}` |" in text for name in table.by_name), table.name
    enums = (PAGES / "enums.md").read_text()
    assert all(f"`{member.name}`" in enums for enum in catalog.enums.values() for member in enum.members)
    functions = (PAGES / "functions.md").read_text()
    assert all(f"`{name}(" in functions for name in catalog.functions)


def test_a_page_that_was_edited_by_hand_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    page = tmp_path / "flow_log.explain.md"
    right = page.read_text()
    page.write_text("mine")
    (tmp_path / "gone.md").write_text(f"{NOTE}\na table that is no more")
    (tmp_path / "mine.md").write_text("a page written by hand")
    assert main(["--check", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "flow_log.explain.md does not say what the catalogue says" in told
    assert "gone.md" in told
    assert main([str(tmp_path)]) == 0
    assert page.read_text() == right
    assert not (tmp_path / "gone.md").exists()
    assert (tmp_path / "mine.md").exists()


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err
