"""What is known of a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from metaflow_core.api.factories import Factory

__all__ = ["PluginInfo", "PluginState"]


class PluginState(StrEnum):
    """The fate of a plugin. ``incompatible`` and ``disabled`` plugins are never imported."""

    LOADED = "loaded"
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """A plugin and what became of it.

    :ivar name: the entry point's name. :ivar distribution: the pip distribution, empty for objects and local files.
    :ivar version: of the distribution. :ivar module: what the entry point names. :ivar api: the entry-point group.
    :ivar state: its fate. :ivar reason: a sentence, when it is not ``loaded``. :ivar remedy: what to do about it.
    :ivar traceback: of the failure, for ``plugins doctor --verbose``. :ivar hooks: hooks it implements.
    :ivar components: factories it offers.
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    api: str = ""
    state: PluginState = PluginState.LOADED
    reason: str = ""
    remedy: str = ""
    traceback: str = ""
    hooks: tuple[str, ...] = ()
    components: tuple[Factory, ...] = ()
