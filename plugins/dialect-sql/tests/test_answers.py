"""Questions about a real capture: the answers stay what they are, and another engine gives the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from shop_cases import CASES

ANSWERS = Path(__file__).with_name("answers.json")


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def rows_of(table: Any) -> list[list[Any]]:
    columns = [table.column(index).to_pylist() for index in range(table.num_columns)]
    return [[plain(value) for value in row] for row in zip(*columns, strict=True)]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return bool(left == right)


@pytest.fixture(scope="session")
def answers(request: pytest.FixtureRequest) -> Any:
    known = json.loads(ANSWERS.read_text()) if ANSWERS.exists() else {}
    update = request.config.getoption("--mf-update")
    yield known
    if update:
        ANSWERS.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(known[k])}" for k in known) + "\n}\n")


@pytest.mark.parametrize("question", [question for question, _ in CASES])
async def test_answer_is_known(
    question: str, ask: Callable[..., Any], answers: Any, request: pytest.FixtureRequest
) -> None:
    result = await ask(question)
    found = {"columns": result.table.column_names, "rows": rows_of(result.table), "units": dict(result.units)}
    if request.config.getoption("--mf-update"):
        answers[question] = found
    assert question in answers, "a new question: run pytest --mf-update and look at what it adds to answers.json"
    assert same(
        [found["columns"], list(found["units"].items())],
        [answers[question]["columns"], list(answers[question]["units"].items())],
    )
    assert same(found["rows"], answers[question]["rows"])


@pytest.mark.parametrize(("question", "other"), [case for case in CASES if case[1] is not None])
async def test_another_engine_says_the_same(question: str, other: str, ask: Callable[..., Any], duck: Any) -> None:
    mine = rows_of((await ask(question)).table)
    theirs = rows_of(duck.sql(other).to_arrow_table())
    assert [[_number(v) for v in row] for row in mine] == [[_number(v) for v in row] for row in theirs] or same(
        [[_number(v) for v in row] for row in mine], [[_number(v) for v in row] for row in theirs]
    )


def _number(value: Any) -> Any:
    from decimal import Decimal

    return float(value) if isinstance(value, Decimal | bool) else value


def test_there_are_enough() -> None:
    assert len(CASES) >= 100
    assert len({question for question, _ in CASES}) == len(CASES)
    assert sum(other is not None for _, other in CASES) >= 80
