"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow up``, ``mflow agent`` and ``mflow server``."""
    from metaflow_up.agent import agent
    from metaflow_up.command import up
    from metaflow_up.server import server

    for command in (up, agent, server):
        cli.add_command(command)
