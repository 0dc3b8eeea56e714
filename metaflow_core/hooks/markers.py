"""The decorators and names by which plugins and core find each other."""

from __future__ import annotations

import pluggy

__all__ = ["ENTRY_POINT_GROUP", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "metaflow"
"""Prefix of every hook: ``metaflow_collectors`` and so on."""

ENTRY_POINT_GROUP = "metaflow.plugins.v1"
"""Entry-point group of plugins; the major version of the plugin interface is in the name."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of the same name."""

hookspec = pluggy.HookspecMarker(PROJECT)
