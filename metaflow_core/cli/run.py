"""``mflow run``."""

from __future__ import annotations

import click

from metaflow_core.cli.options import config_options


@click.command()
@config_options
def run(files: tuple[str, ...], *, sets: tuple[str, ...], strict: bool) -> int:
    """Run the pipelines of a configuration until they end or are stopped.

    SIGINT or SIGTERM stops in order, a second one at once; SIGHUP reads the configuration again and changes only what
    changed. Logs go to standard error.
    """
    from metaflow_core.sdk import App
    from metaflow_core.sdk import run as run_app

    if not files:
        raise click.UsageError("name a configuration file, e.g. metaflow.yaml; several are merged from left to right.")
    return run_app(App.from_file(*files, sets=sets, strict=strict))
