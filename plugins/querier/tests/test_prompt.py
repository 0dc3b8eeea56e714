"""The prompt: what it suggests, how it goes on after mistakes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from metaflow_querier.client.completion import suggestions, word_before

from metaflow_core.api import QueryResult
from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import load_catalog


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("", "", "SHOW TABLES"),
        ("sel", "", "SELECT"),
        ("SELECT Perc", "", "Percentile("),
        ("SELECT ends FROM l7", "", "l7_flow_log"),
        ("SELECT * FROM network.", "", None),
        ("SELECT endp", " FROM l7_flow_log", "endpoint"),
        ("SELECT error_r", " FROM l7_flow_log", "error_ratio"),
        ("SELECT * FROM l7_flow_log WHERE response_status = 'serv", "", "server_error"),
        ("SELECT * FROM l7_flow_log WHERE response_status in ('", "", "timeout"),
        ("SHOW ENUM l7", "", "l7_protocol"),
        ("SELECT endpoint FROM l7_flow_log GR", "", "GROUP BY"),
    ],
)
def test_suggestions(before: str, after: str, wanted: str | None) -> None:
    found = [text for text, _ in suggestions(before, before + after, load_catalog())]
    assert wanted is None or wanted in found
    assert all(text.lower().startswith(word_before(before).lower()) for text in found)


def test_prompt_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from metaflow_querier.client.prompt import prompt
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    asked: list[str] = []
    shown: list[QueryResult] = []

    def ask(text: str) -> QueryResult:
        asked.append(text)
        if text == "wrong":
            raise QuerySyntaxError("no", 3)
        return QueryResult(table=pa.table({"n": [1]}))

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("wrong\nSHOW TABLES\n\nexit\n")
        prompt(load_catalog(), ask, shown.append)
    assert asked == ["wrong", "SHOW TABLES"]
    assert len(shown) == 1
    assert "column 3: no" in capsys.readouterr().err
    assert "SHOW TABLES" in (tmp_path / "metaflow" / "query_history").read_text()
