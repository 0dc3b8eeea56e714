"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow demo``."""
    from metaflow_demo.command import demo

    cli.add_command(demo)
