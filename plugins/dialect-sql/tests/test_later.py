"""The dialect is there at once, its grammar a little later."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.later import SqlLater

from metaflow_core.api import Kind, QueryRequest
from metaflow_core.errors import UnavailableError
from metaflow_core.testing import build_context


async def test_the_first_question_waits_for_the_grammar(storage: Any) -> None:
    dialect = SqlLater(build_context(Kind.DIALECT, "sql"), SqlConfig())
    await dialect.start()
    request = QueryRequest(text="SHOW databases", params={}, timeout_s=60, max_rows=100)
    first, second = await dialect.query(request, storage), await dialect.query(request, storage)
    assert first.table.num_rows == second.table.num_rows > 0
    await dialect.stop()


def test_building_it_imports_no_grammar() -> None:
    words = (
        "import sys; from metaflow_dialect_sql.later import SqlLater; from metaflow_dialect_sql.config import SqlConfig; "
        "from metaflow_core.api import Kind; from metaflow_core.testing import build_context; "
        "SqlLater(build_context(Kind.DIALECT, 'sql'), SqlConfig()); print('sqlglot' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"


def test_without_the_library_it_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_dialect_sql.later.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="pip install sqlglot"):
        SqlLater(build_context(Kind.DIALECT, "sql"), SqlConfig())
