"""The pages on expressions and plans name everything that there is."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from metaflow_core.model.catalog import load_catalog
from metaflow_core.query import parse_where
from metaflow_core.query.functions import FOLDS, ROW_FUNCTIONS
from metaflow_core.query.plan import Plan

PAGES = Path(__file__).parents[3] / "docs" / "reference" / "records"


def test_every_row_function_is_documented() -> None:
    text = (PAGES / "expressions.md").read_text()
    assert [name for name in ROW_FUNCTIONS if f"`{name}(" not in text] == []


def test_every_node_and_fold_is_documented() -> None:
    text = (PAGES / "plans.md").read_text()
    assert [node.__name__ for node in get_args(Plan) if f"| `{node.__name__}(" not in text] == []
    assert [name for name in FOLDS if f"`{name}`" not in text] == []


def examples() -> list[str]:
    return (PAGES / "expressions.md").read_text().split("```")[1].strip().splitlines()


@pytest.mark.parametrize("condition", examples())
def test_the_examples_are_right(condition: str) -> None:
    from metaflow_core.model.catalog import Member

    catalog = load_catalog().extend(members={"l7_protocol": (Member(20, "HTTP"), Member(80, "Redis"))})
    parse_where(condition, catalog.table("l7_flow_log"), catalog)
