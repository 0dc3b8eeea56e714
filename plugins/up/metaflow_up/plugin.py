"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow up``."""
    from metaflow_up.command import up

    cli.add_command(up)
