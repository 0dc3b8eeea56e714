"""The API keeps to its description, whatever is sent: schemathesis makes requests from the description and judges the answers."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_core.testing import judge_openapi

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

# What an expression or a moment may say is no matter of a schema, and a parameter that is unknown, empty or given twice is passed over, as
# Prometheus does.
_BEYOND = (checks.positive_data_acceptance, checks.negative_data_rejection, checks.missing_required_header)


def test_answers_are_as_described(api: Any) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api)
    seen = judge_openapi(schema, examples=6, beyond=lambda _: _BEYOND)
    assert len(seen) == 2 * 7 + 10
