"""Options of the SQL dialect."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["SqlConfig"]


class SqlConfig(Config):
    """Limits of a question."""

    default_rows: int = Field(default=10_000, ge=1, description="Rows given when a question has no LIMIT.")
    max_text_bytes: int = Field(default=65_536, ge=64, description="Bytes of a question; a longer one is refused.")
    max_nesting: int = Field(default=30, ge=4, le=40, description="Levels of parentheses in a question.")
    raw: bool = Field(default=True, description="Whether a storage may be asked in its own SQL (read only, checked).")
