"""Leaves out what cannot be built here, so that one broken extra does not keep the rest from coming up."""

from __future__ import annotations

import copy
from typing import Any

from metaflow_core import App
from metaflow_core.errors import MetaFlowError

__all__ = ["start_usable", "usable"]

_OPTIONAL = ("taggers", "dialects", "services")


async def start_usable(config: dict[str, Any]) -> tuple[App, list[str]]:
    """A running app, and a sentence for each part that was left out because it cannot be built here.

    All of it is tried first, since looking for what is broken builds everything once more.

    :raises MetaFlowError: what is not optional cannot be built, or something cannot be started.
    """
    try:
        app = App(config, autoload=True)
        await app.start()
    except MetaFlowError:
        kept, left_out = usable(config)
        if not left_out:
            raise
        app = App(kept, autoload=True)
        await app.start()
        return app, left_out
    return app, []


def usable(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The configuration without the taggers, query languages and services that cannot be built, and a sentence for each.

    :raises MetaFlowError: what is not optional cannot be built.
    """
    try:
        App(config, autoload=True).validate()
    except MetaFlowError:
        pass
    else:
        return config, []
    left_out: dict[str, set[str]] = {section: set(config.get(section, {})) for section in _OPTIONAL}
    App(_without(config, left_out), autoload=True).validate()
    notes: list[str] = []
    for section in _OPTIONAL:
        for name in config.get(section, {}):
            left_out[section].remove(name)
            try:
                App(_without(config, left_out), autoload=True).validate()
            except MetaFlowError as error:
                left_out[section].add(name)
                notes.append(f"left out {section}.{name}: {error}")
    return _without(config, left_out), notes


def _without(config: dict[str, Any], left_out: dict[str, set[str]]) -> dict[str, Any]:
    """A copy without some components, in their sections and in the pipelines that name them."""
    kept = copy.deepcopy(config)
    for section, names in left_out.items():
        for holder in (kept, *kept.get("pipelines", {}).values()):
            there = holder.get(section)
            if there is None:
                continue
            if isinstance(there, dict):
                holder[section] = {name: options for name, options in there.items() if name not in names}
            else:
                holder[section] = [name for name in there if name not in names]
            if not holder[section]:
                del holder[section]
    return kept
