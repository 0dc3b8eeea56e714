"""Options of the service."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import Config, Field
from metaflow_tracing.gather.limits import Limits

__all__ = ["TracingConfig"]


class TracingConfig(Config):
    """How traces are found and put together, and where they are answered."""

    storage: str | None = Field(None, description="Id of the storage that is asked; null for the only one there is.")
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of link rules by name; a rule that is not named has its defaults."
    )
    without: tuple[str, ...] = Field((), description="Link rules that are not used.")
    max_rows: int = Field(
        100_000, ge=1, le=1_000_000, description="Rows that one trace may have; what is beyond is cut, and said."
    )
    max_rounds: int = Field(4, ge=0, le=30, description="How often rows related to related rows are asked for.")
    margin_s: float = Field(
        30.0, ge=0, le=86_400, description="How long before and after a trace related rows are looked for, in seconds."
    )
    search_window_s: float = Field(
        3600.0, gt=0, description="How far back a search looks that names no time, in seconds."
    )
    max_search: int = Field(1000, ge=1, le=100_000, description="Traces that one search may return.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Seconds that an answer may take.")
    tempo_prefix: str = Field("/tempo", pattern=r"^/[a-z0-9/_-]+$", description="Where Tempo's API is answered.")
    jaeger_prefix: str = Field(
        "/jaeger", pattern=r"^/[a-z0-9/_-]+$", description="Where Jaeger's query API is answered."
    )

    def limits(self) -> Limits:
        """The bounds of one search."""
        return Limits(self.max_rows, self.max_rounds, self.margin_s)
