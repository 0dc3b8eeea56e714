"""Leaves out what cannot be built here, so that one broken extra does not keep the rest from coming up."""

from __future__ import annotations

import copy
from typing import Any

from metaflow_core import App
from metaflow_core.errors import MetaFlowError

__all__ = ["usable"]

_OPTIONAL = ("dialects", "services")


def usable(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The configuration without the query languages and services that cannot be built, and a sentence for each.

    :raises MetaFlowError: what is not optional cannot be built.
    """
    try:
        App(config, autoload=True).validate()
    except MetaFlowError:
        pass
    else:
        return config, []
    kept = {name: value for name, value in copy.deepcopy(config).items() if name not in _OPTIONAL}
    App(kept, autoload=True).validate()
    notes: list[str] = []
    for section in _OPTIONAL:
        for name, options in config.get(section, {}).items():
            trial = copy.deepcopy(kept)
            trial.setdefault(section, {})[name] = options
            try:
                App(trial, autoload=True).validate()
            except MetaFlowError as error:
                notes.append(f"left out {section}.{name}: {error}")
            else:
                kept = trial
    return kept, notes
