"""``mflow validate``."""

from __future__ import annotations

import sys

import click

from metaflow_core.cli import exits
from metaflow_core.cli.loading import load
from metaflow_core.cli.options import config_options, json_option
from metaflow_core.cli.output import print_json


@click.command()
@config_options
@click.option("--deny-warnings", is_flag=True, help="What is only a warning is a mistake too.")
@json_option
def validate(files: tuple[str, ...], *, sets: tuple[str, ...], strict: bool, deny_warnings: bool, as_json: bool) -> int:
    """Check a configuration and print every mistake at once, each with its file and line.

    Needs neither root nor a database nor the network. Exit code 78 when something is wrong.
    """
    config = load(files, sets, strict=strict, deny_warnings=deny_warnings)
    if as_json:
        warnings = [
            {"file": item.file, "line": item.line, "path": item.path, "message": item.message}
            for item in config.warnings
        ]
        print_json({"valid": True, "warnings": warnings, "config": config.dump()})
        return exits.OK
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    components, pipelines = len(config.components), len(config.pipelines)
    print(f"{', '.join(config.files)}: in order ({components} components in {pipelines} pipelines).")
    return exits.OK
