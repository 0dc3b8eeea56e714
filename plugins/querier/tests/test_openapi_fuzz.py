"""The service keeps to its description, whatever is sent: schemathesis makes requests from the description and judges the answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")


async def test_answers_are_as_described(serve: Any) -> None:
    client = await serve()
    document = (await client.get("/openapi.json")).json()
    # One answer at a time, so that no request is refused for being one too many.
    await asyncio.to_thread(_judge, document, client.service.url)


def _judge(document: dict[str, Any], url: str) -> None:
    checks = pytest.importorskip("schemathesis.specs.openapi.checks")
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add(operation.path)
        # What a condition may say is no matter of a schema.
        beyond = [checks.positive_data_acceptance] if operation.path == "/v1/tail" else []
        for mode in schemathesis.GenerationMode:
            _judge_one(operation, mode, url, beyond)
    assert seen == set(document["paths"])


def _judge_one(operation: Any, mode: Any, url: str, beyond: list[Any]) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=int(os.environ.get("FUZZ_EXAMPLES", "10")),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def judged(case: Any) -> None:
        case.call_and_validate(base_url=url, timeout=60, excluded_checks=beyond)

    # A path without parameters has no wrong requests.
    with contextlib.suppress(Unsatisfiable):
        judged()
