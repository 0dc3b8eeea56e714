"""``mflow graph``."""

from __future__ import annotations

import click

from metaflow_core.cli.loading import load
from metaflow_core.cli.options import config_options, json_option
from metaflow_core.cli.output import print_json


@click.command()
@config_options
@click.option("--dot", is_flag=True, help="For Graphviz: mflow graph --dot metaflow.yaml | dot -Tsvg > graph.svg")
@json_option
def graph(files: tuple[str, ...], *, sets: tuple[str, ...], strict: bool, dot: bool, as_json: bool) -> None:
    """Draw the pipelines of a configuration: which component hands to which."""
    from metaflow_core.pipeline import graph_of

    config = load(files, sets, strict=strict)
    drawn = graph_of(config)
    if as_json:
        print_json(drawn.to_dict())
    elif dot:
        print(drawn.to_dot())
    else:
        print(drawn.to_text())
