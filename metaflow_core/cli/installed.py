"""The plugins that were loaded to find a command, for that command: to load them again is a tenth of its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from metaflow_core.hooks.host import PluginHost

__all__ = ["keep_host", "plugin_host"]

_KEY = "metaflow_core.host"


def keep_host(context: click.Context, host: PluginHost) -> None:
    """Leave a host with loaded plugins to the command that is called below this context."""
    context.meta[_KEY] = host


def plugin_host() -> PluginHost:
    """Every installed plugin: those that the command line loaded to find this command, or loaded now where it did not."""
    from metaflow_core.hooks.host import PluginHost

    context = click.get_current_context(silent=True)
    found = context.meta.get(_KEY) if context is not None else None
    if isinstance(found, PluginHost):
        return found
    host = PluginHost()
    host.load()
    return host
