"""The service keeps to its description, whatever is sent: schemathesis makes requests from the description and judges the answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from metaflow_core.testing import judge_openapi

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
    seen = judge_openapi(
        schema,
        examples=10,
        # What a condition may say is no matter of a schema.
        beyond=lambda operation: [checks.positive_data_acceptance] if operation.path == "/v1/tail" else [],
        base_url=url,
        timeout=60,
    )
    assert {path for _, path in seen} == set(document["paths"])
