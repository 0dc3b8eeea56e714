"""Calls of language models over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_core.api import Refinable, Refined
from metaflow_refiner_llm.answers import response
from metaflow_refiner_llm.requests import request

__all__ = ["LlmRefiner"]


class LlmRefiner:
    """See :class:`metaflow_core.api.Refiner`."""

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """Requests get operation and model as endpoint; responses tokens and what failed."""
        return [request(each) if each.is_request else response(each) for each in messages]
