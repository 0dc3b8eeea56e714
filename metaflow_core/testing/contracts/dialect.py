"""The contract of query dialects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from metaflow_core.api import QueryRequest
from metaflow_core.errors import QueryError
from metaflow_core.testing.contracts.base import ComponentContract
from metaflow_core.testing.doubles import MemoryStorage

__all__ = ["DialectContract"]


class DialectContract(ComponentContract):
    """Inherit and set ``factory``; give :attr:`malformed` texts of the language."""

    malformed: Sequence[str] = ("((((", "'", "\x00", "\N{ZERO WIDTH SPACE}", "a" * 100_000)

    async def test_malformed_text_is_a_sentence(self, component: Any) -> None:
        """What is not well-formed raises a QueryError, never anything else."""
        for text in self.malformed:
            with pytest.raises(QueryError):
                await component.query(QueryRequest(text=text), MemoryStorage())
