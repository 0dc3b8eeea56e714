"""Options of the memory storage."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["MemoryConfig"]


class MemoryConfig(Config):
    """How much is kept."""

    max_bytes: int | None = Field(
        default=256 << 20, ge=1 << 10, description="Bytes kept over all tables; null for no bound."
    )
    max_rows: int | None = Field(default=None, ge=1, description="Rows kept over all tables; null for no bound.")
