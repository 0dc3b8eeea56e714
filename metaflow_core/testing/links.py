"""A row for tests of link rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metaflow_core.api import LinkEnd

__all__ = ["FakeSpan"]

_NOBODY = LinkEnd("", 0)


@dataclass(frozen=True)
class FakeSpan:
    """A :class:`metaflow_core.api.LinkSpan` made of what a test says; columns it does not name are None.

    :ivar columns: what ``span["..."]`` gives.
    """

    point: str = "rest"
    agent_id: int = 0
    start_us: int = 0
    end_us: int = 0
    client: LinkEnd = _NOBODY
    server: LinkEnd = _NOBODY
    is_span: bool = False
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Any:
        return self.columns.get(column)
