"""The page of plugins: every component of every first-party plugin with its options."""

from __future__ import annotations

from metaflow_core.api.factories import Factory
from metaflow_core.cli.plugins import option_rows
from metaflow_core.hooks.host import PluginHost
from metaflow_core.hooks.info import PluginInfo

__all__ = ["first_party", "options_page"]

_INTRO = """# Plugins and their options

<!-- made by: python -m tools.reference -->

`mflow plugins show NAME` says the same of what is installed. A component is configured in the section of its kind:
`collectors: {pcap: {files: [a.pcap]}}`.
"""


def first_party() -> list[PluginInfo]:
    """The plugins of this repository, loaded."""
    host = PluginHost(strict=True)
    host.load()
    return [info for info in host.infos if info.distribution.startswith("metaflow-") and info.components]


def options_page() -> str:
    """The whole page."""
    parts = [_INTRO]
    for info in first_party():
        parts.append(f"\n## {info.name}\n\nDistribution `{info.distribution}`.\n")
        parts.extend(_component(component) for component in info.components)
    return "".join(parts)


def _component(component: Factory) -> str:
    head = f"\n### {component.kind.section}: {component.type}\n\n{component.summary} *{component.stability}*\n"
    rows = option_rows(component)
    if not rows:
        return head
    table = "\n| option | type | default | description |\n|---|---|---|---|\n"
    for row in rows:
        default = "" if row["default"] is None else f"`{row['default']}`"
        kind = str(row["type"]).replace("|", "\\|")
        table += f"| `{row['name']}` | {kind} | {default} | {row['description']} |\n"
    return head + table
