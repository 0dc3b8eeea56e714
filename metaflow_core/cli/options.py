"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["config_options", "json_option"]

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """``--json``: the stable form of a command's output."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output; its shape is stable.")(
        function
    )


def config_options(function: F) -> F:
    """``FILE...``, ``--set`` and ``--strict``: which configuration a command works on."""
    for decorator in (
        click.option("--strict", is_flag=True, help="A plugin that cannot be used is an error."),
        click.option(
            "--set",
            "sets",
            metavar="PATH=VALUE",
            multiple=True,
            help="Override one option, e.g. --set parsers.http.max_head_bytes=4096. May be repeated.",
        ),
        click.argument("files", metavar="FILE...", nargs=-1, type=click.Path()),
    ):
        function = decorator(function)
    return function
