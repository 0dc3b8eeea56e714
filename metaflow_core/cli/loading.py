"""Loading a configuration for a command: the document first, then the plugins it names, then the check of everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from metaflow_core.config import LoadedConfig
    from metaflow_core.hooks.host import PluginHost

__all__ = ["load"]


def load(
    files: Sequence[str], sets: Sequence[str], *, strict: bool, deny_warnings: bool = False
) -> tuple[LoadedConfig, PluginHost]:
    """The configuration and the plugins it works with.

    :raises ConfigError: every mistake at once. :raises PluginError: a required plugin is missing.
    """
    from metaflow_core.config import load_config, read_document
    from metaflow_core.hooks.host import PluginHost

    if not files:
        raise click.UsageError("name a configuration file, e.g. metaflow.yaml; several are merged from left to right.")
    document = read_document(list(files), sets=sets)
    section = document.plugins
    host = PluginHost(strict=strict, override=section.override)
    host.load(
        autoload=section.autoload,
        enable=section.enable,
        disable=section.disable,
        require=section.require,
        paths=section.paths,
    )
    return load_config(document, host, deny_warnings=deny_warnings), host
