"""Leaves out what cannot be built here, so that one broken extra does not keep the rest from coming up."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from metaflow_core import App
from metaflow_core.errors import MetaFlowError
from metaflow_up.board import TABLES

if TYPE_CHECKING:
    from metaflow_core.hooks.host import PluginHost
    from metaflow_core.sdk import Tap

__all__ = ["start_usable", "usable"]

_OPTIONAL = ("taggers", "dialects", "services")


async def start_usable(
    config: dict[str, Any], host: PluginHost, tapped: Sequence[str] = ()
) -> tuple[App, list[Tap], list[str]]:
    """A running app, a tap on each of some pipelines, and a sentence for each part that was left out because it cannot be built here.

    All of it is tried first, since looking for what is broken builds everything once more. Rows may come before the last part runs; the
    taps have them too.

    :param tapped: names of pipelines.
    :raises MetaFlowError: what is not optional cannot be built, or something cannot be started.
    """
    try:
        return *await _start(config, host, tapped), []
    except MetaFlowError:
        kept, left_out = usable(config, host)
        if not left_out:
            raise
        return *await _start(kept, host, tapped), left_out


async def _start(config: dict[str, Any], host: PluginHost, tapped: Sequence[str]) -> tuple[App, list[Tap]]:
    app = App(config, host=host)
    # the table in a terminal is drawn anew every second, the line elsewhere every ten; neither shows tags
    patience_s = 1.0 if sys.stdout.isatty() else 5.0
    taps = [app.tap(pipeline, tables=TABLES, tagged=False, patience_s=patience_s) for pipeline in tapped]
    await app.start()
    return app, taps


def usable(config: dict[str, Any], host: PluginHost) -> tuple[dict[str, Any], list[str]]:
    """The configuration without the taggers, query languages and services that cannot be built, and a sentence for each.

    :raises MetaFlowError: what is not optional cannot be built.
    """
    try:
        App(config, host=host).validate()
    except MetaFlowError:
        pass
    else:
        return config, []
    left_out: dict[str, set[str]] = {section: set(config.get(section, {})) for section in _OPTIONAL}
    App(_without(config, left_out), host=host).validate()
    notes: list[str] = []
    for section in _OPTIONAL:
        for name in config.get(section, {}):
            left_out[section].remove(name)
            try:
                App(_without(config, left_out), host=host).validate()
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
