"""The summary as one page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from metaflow_core.report.html.page import page

__all__ = ["page"]
