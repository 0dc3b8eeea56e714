"""Options of the web UI."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["WebConfig"]


class WebConfig(Config):
    """Where the pages are."""

    path: str = Field(
        default="/",
        pattern=r"^/([a-z0-9_-]+(/[a-z0-9_-]+)*)?$",
        description="Path below which the HTTP service shows the pages.",
    )
