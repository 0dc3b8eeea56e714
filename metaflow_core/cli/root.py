"""The root command: built-in commands are imported when they run, plugins are loaded when one of theirs is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from metaflow_core.cli import exits
from metaflow_core.cli.command_cache import CommandCache
from metaflow_core.cli.installed import keep_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metaflow_core.hooks.host import PluginHost

__all__ = ["Root", "cli", "run_cli"]

BUILT_IN: dict[str, tuple[str, str]] = {
    "read": ("metaflow_core.cli.read:read", "See what happened in a capture: summary, requests, flows, messages."),
    "explain": ("metaflow_core.cli.explain:explain", "Tell why: which parsers looked at a flow and what each said."),
    "run": ("metaflow_core.cli.run:run", "Run the pipelines of a configuration."),
    "validate": ("metaflow_core.cli.validate:validate", "Check a configuration; every mistake at once."),
    "graph": ("metaflow_core.cli.graph:graph", "Draw the pipelines of a configuration."),
    "schema": ("metaflow_core.cli.schema:schema", "Print the JSON schema of the configuration."),
    "plugins": ("metaflow_core.cli.plugins:plugins", "List, show and diagnose plugins."),
    "new": ("metaflow_core.cli.new:new", "Start a plugin of your own from a template."),
    "version": ("metaflow_core.cli.version:version", "Print versions."),
}
"""Name -> (where it is, one line for --help); the line is here so that --help imports nothing else."""


class Root(click.Group):
    """The ``mflow`` group: lazy built-ins, then commands of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Built-ins first, in the order of a newcomer's day; then plugins' commands, sorted."""
        return [*BUILT_IN, *sorted(CommandCache().names())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a built-in, or load the plugins and take theirs."""
        if cmd_name in BUILT_IN:
            module, _, attribute = BUILT_IN[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        host = _host()
        keep_host(ctx, host)
        return _own(_added(host, warn=True)).get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in BUILT_IN.items()])
        added = CommandCache().summaries()
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(sorted(added.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a did-you-mean."""
        import difflib

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            hint = f" Did you mean {near[0]!r}?" if near else " 'mflow --help' lists the commands."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx) from error


def plugin_commands(*, warn: bool) -> dict[str, click.Command]:
    """Load the plugins and let them add commands to a group of their own; what fails is named on standard error."""
    return _own(_added(_host(), warn=warn))


def _own(commands: dict[str, click.Command]) -> dict[str, click.Command]:
    """Without those whose names are taken by built-in ones."""
    return {name: command for name, command in commands.items() if name not in BUILT_IN}


def plugin_subcommands(group: str) -> dict[str, click.Command]:
    """What plugins add to a built-in group, by adding a group of the same name."""
    found = _added(_host(), warn=False).get(group)
    return dict(found.commands) if isinstance(found, click.Group) else {}


def _host() -> PluginHost:
    from metaflow_core.hooks.host import PluginHost

    host = PluginHost()
    host.load(disable=_disabled())
    return host


def _added(host: PluginHost, *, warn: bool) -> dict[str, click.Command]:
    group = _Collecting("mflow")
    for plugin, error in host.add_commands(group):
        if warn:
            print(f"mflow: the commands of plugin {plugin!r} are not there: {error}", file=sys.stderr)
    return dict(group.commands)


class _Collecting(click.Group):
    """Takes the commands of several plugins; groups of one name become one."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        known = self.commands.get(name or cmd.name or "")
        if isinstance(known, click.Group) and isinstance(cmd, click.Group):
            for each in cmd.commands.values():
                known.add_command(each)
        else:
            super().add_command(cmd, name)


def _disabled() -> tuple[str, ...]:
    """``METAFLOW_DISABLE_PLUGINS=a,b``: a way out when a plugin breaks the command line itself."""
    return tuple(filter(None, os.environ.get("METAFLOW_DISABLE_PLUGINS", "").split(",")))


EPILOG = """\b
Try:
  mflow read capture.pcap            what happened in a capture, no root and no server
  mflow read capture.pcap --table l7_flow_log --format jsonl
  mflow plugins list                 what is installed
  mflow new plugin parser echo       a protocol parser of your own
\b
Exit codes: 0 success, 1 failure while running, 2 wrong usage, 78 wrong configuration.
"""


@click.group(
    cls=Root, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """See what every service asks of every other, how fast and how well it is answered.

    MetaFlow reads packets and kernel events, recognises the protocols, and gives requests, flows, metrics and traces,
    with no change to the watched code.
    """


def run_cli(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; nothing escapes as a traceback but a defect of MetaFlow itself."""
    from metaflow_core.errors import MetaFlowError

    arguments = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in arguments
    try:
        result: Any = cli.main(args=arguments, prog_name="mflow", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        print("mflow: stopped.", file=sys.stderr)
        return 130
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except MetaFlowError as error:
        return exits.report(error, as_json=as_json)
    except BrokenPipeError:
        # the reader of our output is gone (mflow ... | head); nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
    except OSError as error:
        print(f"mflow: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return exits.RUNTIME
    return result if isinstance(result, int) else exits.OK
