"""The page of commands: every command and option, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from metaflow_core.cli.root import cli

__all__ = ["commands", "commands_page"]

_INTRO = """# Commands

<!-- made by: python -m tools.reference -->

`mflow --help` and `mflow COMMAND --help` say the same. Errors go to standard error. Exit codes:

| code | meaning |
|---|---|
| 0 | success |
| 1 | a failure while running |
| 2 | wrong usage of the command line |
| 78 | a wrong configuration (`EX_CONFIG`) |

Shell completion: `eval "$(_MFLOW_COMPLETE=bash_source mflow)"` (or `zsh_source`, `fish_source`) in the shell's start-up file.
`METAFLOW_DISABLE_PLUGINS=a,b` keeps plugins from being loaded when one breaks the command line itself.
"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """``(full name, command)`` of everything that can be called, built in or added by a plugin."""

    def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None and not found.hidden:
                    yield from walk(f"{name} {child}", found)

    yield from walk("mflow", cli)


def commands_page() -> str:
    """The whole page."""
    parts = [_INTRO]
    for name, command in commands():
        if name == "mflow":
            continue
        context = click.Context(command, info_name=name, max_content_width=110, terminal_width=110)
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "".join(parts)
