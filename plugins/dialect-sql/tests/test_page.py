"""Every example of docs/reference/sql.md is answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "sql.md"
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) if PAGE.exists() else []


@pytest.mark.skipif(not EXAMPLES, reason="the documentation is not beside the plugin")
@pytest.mark.parametrize("question", EXAMPLES)
async def test_example_is_answered(question: str, ask: Any) -> None:
    assert (await ask(question)).table.num_rows > 0


@pytest.mark.skipif(not EXAMPLES, reason="the documentation is not beside the plugin")
def test_every_function_is_on_the_page(capture: Any) -> None:
    from metaflow_dialect_sql.calls import ROW_CALLS

    from metaflow_core.query.functions import ROW_FUNCTIONS

    page = PAGE.read_text(encoding="utf-8")
    internal = {"map_at", "map_text", "bucket"}
    written = [each.partition("(")[0] for each in ROW_CALLS.values()]
    missing = [
        name
        for name in (*capture.catalog.functions, *written, *ROW_FUNCTIONS)
        if name not in page and name not in internal
    ]
    assert not missing
