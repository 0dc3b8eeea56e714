"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["metaflow_commands"]


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow grafana``."""
    from metaflow_grafana.command import grafana

    cli.add_command(grafana)
