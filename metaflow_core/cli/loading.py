"""Loading a configuration for a command: the document first, then the plugins it names, then the check of everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from metaflow_core.config import LoadedConfig

__all__ = ["load"]


def load(files: Sequence[str], sets: Sequence[str], *, strict: bool, deny_warnings: bool = False) -> LoadedConfig:
    """The configuration, checked as far as that goes without starting anything.

    :raises ConfigError: every mistake at once. :raises PluginError: a required plugin is missing.
    """
    from metaflow_core.config import load_config, read_document
    from metaflow_core.sdk import check_config, open_host

    if not files:
        raise click.UsageError("name a configuration file, e.g. metaflow.yaml; several are merged from left to right.")
    document = read_document(list(files), sets=sets)
    host = open_host(document, strict=strict)
    loaded = load_config(document, host, deny_warnings=deny_warnings)
    # what only shows when the components are built: two on one port, a parser without a runtime
    check_config(loaded, host)
    return loaded
