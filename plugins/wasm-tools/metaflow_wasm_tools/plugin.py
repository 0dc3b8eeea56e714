"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow wasm``."""
    from metaflow_wasm_tools.commands import wasm

    cli.add_command(wasm)
