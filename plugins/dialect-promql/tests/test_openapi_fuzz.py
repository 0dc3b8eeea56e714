"""The API keeps to its description, whatever is sent: schemathesis makes requests from the description and judges the answers."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

# What an expression or a moment may say is no matter of a schema, and a parameter that is unknown, empty or given twice is passed over, as
# Prometheus does.
_BEYOND = [checks.positive_data_acceptance, checks.negative_data_rejection, checks.missing_required_header]


def test_answers_are_as_described(api: Any) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api)
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add((operation.method.upper(), operation.path))
        for mode in schemathesis.GenerationMode:
            _judge(operation, mode)
    assert len(seen) == 2 * 7 + 10


def _judge(operation: Any, mode: Any) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=int(os.environ.get("FUZZ_EXAMPLES", "6")),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def judged(case: Any) -> None:
        case.call_and_validate(excluded_checks=_BEYOND)

    # A path without parameters has no wrong requests.
    with contextlib.suppress(Unsatisfiable):
        judged()
