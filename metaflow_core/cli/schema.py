"""``mflow schema``."""

from __future__ import annotations

import click

from metaflow_core.cli.output import print_json


@click.command()
def schema() -> None:
    """Print the JSON schema of the configuration, with the options of every installed plugin.

    Editors use it for completion, e.g. with a first line: # yaml-language-server: $schema=metaflow.schema.json
    """
    from metaflow_core.config import json_schema
    from metaflow_core.hooks.host import PluginHost

    host = PluginHost()
    host.load()
    print_json(json_schema(host))
