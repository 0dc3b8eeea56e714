"""A built-in group to which plugins may add commands."""

from __future__ import annotations

import click

__all__ = ["ExtendableGroup"]


class ExtendableGroup(click.Group):
    """Its own commands, then those of plugins: a plugin adds a group of the same name to the root."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Loads the plugins."""
        return [*super().list_commands(ctx), *sorted(self._more())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads the plugins only for what is not its own."""
        return super().get_command(ctx, cmd_name) or self._more().get(cmd_name)

    def _more(self) -> dict[str, click.Command]:
        from metaflow_core.cli.root import plugin_subcommands

        return {name: each for name, each in plugin_subcommands(self.name or "").items() if name not in self.commands}
