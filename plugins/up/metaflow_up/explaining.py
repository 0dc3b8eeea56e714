"""Why a flow is taken for what it is: engines that can tell are told to, for so many flows as costs little."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import Kind
from metaflow_core.hooks.host import PluginHost

__all__ = ["explain_flows"]

_OPTION = "explain_steps_per_s"
_STEPS_PER_S = 1000
"""A flow to a known server takes three steps, to an unknown one some ten; a step is a short row."""


def explain_flows(host: PluginHost, config: dict[str, Any]) -> None:
    """Turn on ``engines.NAME.explain_steps_per_s`` of every installed engine that has it."""
    for name, factory in host.factories(Kind.ENGINE).items():
        if _OPTION in factory.config.model_fields:
            config.setdefault("engines", {})[name] = {_OPTION: _STEPS_PER_S}
