"""A storage's own SQL, read only: what is run is put together from the words that were checked."""

from __future__ import annotations

from metaflow_dialect_sql.raw.check import RawStatement, checked_raw, checked_settings, checked_statement

__all__ = ["RawStatement", "checked_raw", "checked_settings", "checked_statement"]
