"""Hooks register; components work. The specifications, the loader and what is known of each plugin."""

from __future__ import annotations

from metaflow_core.hooks.markers import ENTRY_POINT_GROUP, PROJECT, hookimpl

__all__ = ["ENTRY_POINT_GROUP", "PROJECT", "hookimpl"]
