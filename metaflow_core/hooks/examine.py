"""Runs the examinations of the plugins, each behind a fence, after looking at the plugins themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflow_core.api.examination import Examination, Finding, FindingState, Surroundings
from metaflow_core.hooks.info import PluginState

if TYPE_CHECKING:
    from metaflow_core.hooks.host import PluginHost

__all__ = ["Examined", "examine"]


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding with where it came from."""

    plugin: str
    examination: str
    finding: Finding

    def document(self) -> Mapping[str, Any]:
        """The stable form for machines."""
        found = self.finding
        return {
            "examination": self.examination,
            "plugin": self.plugin,
            "state": found.state.value,
            "subject": found.subject,
            "said": found.said,
            "remedy": found.remedy,
        }


def examine(host: PluginHost, surroundings: Surroundings) -> list[Examined]:
    """Everything that is found, in the order of the plugins' names; findings of one examination stay together."""
    found = [Examined("", "plugins", finding) for finding in _plugins(host)]
    for plugin, offered in host.examinations():
        if isinstance(offered, Examination):
            found.extend(Examined(plugin, offered.name, finding) for finding in _run(offered, surroundings))
        else:
            said = f"its examinations cannot be had: {type(offered).__name__}: {offered}"
            broken = Finding(FindingState.PROBLEM, plugin, said, "upgrade or repair the plugin")
            found.append(Examined(plugin, "plugins", broken))
    return found


def _run(examination: Examination, surroundings: Surroundings) -> Iterable[Finding]:
    try:
        return list(examination.run(surroundings))
    except Exception as error:  # noqa: BLE001 - the fence around foreign code
        said = f"looking failed: {type(error).__name__}: {error}"
        return [Finding(FindingState.PROBLEM, examination.name, said, "report this; it is a mistake of the plugin")]


def _plugins(host: PluginHost) -> Iterator[Finding]:
    usable = [info for info in host.infos if info.state is PluginState.LOADED]
    if usable:
        yield Finding(FindingState.OK, "plugins", f"{len(usable)} of {len(host.infos)} are loaded")
    else:
        yield Finding(
            FindingState.PROBLEM,
            "plugins",
            "none is loaded, so MetaFlow can do nothing",
            "install some, e.g. pip install metaflow-collector-pcap metaflow-engine-flow metaflow-parser-http",
        )
    for info in host.infos:
        if info.state in (PluginState.FAILED, PluginState.INCOMPATIBLE):
            said = f"{info.state.value}: {info.reason}"
            yield Finding(FindingState.PROBLEM, f"plugin {info.name}", said, info.remedy)
        elif info.state is PluginState.DISABLED:
            yield Finding(FindingState.NOTE, f"plugin {info.name}", info.reason or "disabled")
