"""``mflow version``."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from metaflow_core.cli.options import json_option
from metaflow_core.cli.output import print_json, print_lines


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the versions of MetaFlow, Python and the system."""
    facts = {
        "metaflow-core": importlib.metadata.version("metaflow-core"),
        "plugin_interface": "metaflow.plugins.v1",
        "parser_abi": 1,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    if as_json:
        print_json(facts)
    else:
        print_lines(f"{name:<17} {value}" for name, value in facts.items())
