"""``mflow plugins list|show|doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from metaflow_core.cli import exits
from metaflow_core.cli.options import json_option
from metaflow_core.cli.output import print_json, print_lines, print_table

if TYPE_CHECKING:
    from metaflow_core.api.factories import Factory
    from metaflow_core.hooks.host import PluginHost
    from metaflow_core.hooks.info import PluginInfo

_PATHS = click.option(
    "--plugins-dir",
    "paths",
    multiple=True,
    type=click.Path(),
    help="Also load the *.py files of this folder as plugins.",
)


@click.group()
def plugins() -> None:
    """List, show and diagnose plugins.

    Every capability is a plugin: an installed distribution with an entry point in the group metaflow.plugins.v1, or a
    single file in a folder named under plugins.paths.
    """


def _load(paths: tuple[str, ...], *, strict: bool = False) -> PluginHost:
    from metaflow_core.hooks.host import PluginHost

    host = PluginHost(strict=strict)
    host.load(paths=paths)
    return host


@plugins.command("list")
@_PATHS
@click.option("--kind", help="Only plugins that offer this kind of component, e.g. parser.")
@json_option
def list_plugins(*, paths: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """List every plugin with its kind, version and state."""
    infos = [info for info in _load(paths).infos if kind is None or kind in _kinds(info)]
    if as_json:
        print_json([document(info) for info in infos])
        return
    print_table(
        ("plugin", "version", "state", "kind", "components", "stability"),
        (
            (
                info.name,
                info.version,
                info.state,
                ", ".join(_kinds(info)),
                ", ".join(component.type for component in info.components),
                ", ".join(sorted({component.stability for component in info.components})),
            )
            for info in infos
        ),
    )
    broken = [info for info in infos if info.state not in {"loaded", "disabled"}]
    if broken:
        print_lines(("", f"{len(broken)} cannot be used; 'mflow plugins doctor' says why and what to do."))


@plugins.command("show")
@click.argument("name")
@_PATHS
@json_option
def show(*, name: str, paths: tuple[str, ...], as_json: bool) -> int:
    """Show one plugin: its components, their options and defaults."""
    import difflib

    from metaflow_core.errors import PluginError

    infos = {info.name: info for info in _load(paths).infos}
    info = infos.get(name)
    if info is None:
        near = difflib.get_close_matches(name, infos, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "'mflow plugins list' names those that are there"
        raise PluginError(f"there is no plugin {name!r}; {hint}")
    if as_json:
        print_json(document(info, options=True))
        return exits.OK
    print_lines(
        (
            f"{info.name} {info.version}  ({info.state})",
            f"  distribution  {info.distribution or '-'}",
            f"  module        {info.module}",
            f"  hooks         {', '.join(info.hooks) or '-'}",
        )
    )
    if info.reason:
        print_lines((f"  reason        {info.reason}", f"  remedy        {info.remedy}"))
    for component in info.components:
        print_lines(("", f"{component.kind.section}: {component.type}  [{component.stability}]  {component.summary}"))
        options = option_rows(component)
        if options:
            print_table(
                ("option", "type", "default", "description"),
                ((item["name"], item["type"], item["default"], item["description"]) for item in options),
            )
    return exits.OK


@plugins.command("doctor")
@_PATHS
@click.option("--strict", is_flag=True, help="Exit with 1 when any plugin cannot be used.")
@click.option("--verbose", is_flag=True, help="Print the traceback of each failure.")
@json_option
def doctor(*, paths: tuple[str, ...], strict: bool, verbose: bool, as_json: bool) -> int:
    """Say of every plugin that cannot be used what is wrong and what to do."""
    infos = _load(paths).infos
    broken = [info for info in infos if info.state in {"failed", "incompatible"}]
    if as_json:
        print_json({"plugins": len(infos), "broken": [document(info) for info in broken]})
    else:
        for info in broken:
            origin = f"{info.distribution} {info.version}".strip() or info.module
            print_lines((f"{info.name} ({origin}) is {info.state}: {info.reason}.", f"    Remedy: {info.remedy}."))
            if verbose and info.traceback:
                print_lines(f"    {line}" for line in info.traceback.splitlines())
        good = len(infos) - len(broken)
        print_lines((f"{good} of {len(infos)} plugins are in order.",))
    return exits.RUNTIME if strict and broken else exits.OK


def _kinds(info: PluginInfo) -> list[str]:
    return sorted({component.kind.value for component in info.components})


def document(info: PluginInfo, *, options: bool = False) -> dict[str, Any]:
    """The stable JSON form of a plugin."""
    return {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "module": info.module,
        "api": info.api,
        "state": info.state.value,
        "reason": info.reason,
        "remedy": info.remedy,
        "kind": _kinds(info),
        "hooks": list(info.hooks),
        "components": [
            {
                "kind": component.kind.value,
                "type": component.type,
                "stability": component.stability.value,
                "summary": component.summary,
                **({"options": option_rows(component)} if options else {}),
            }
            for component in info.components
        ],
    }


def option_rows(component: Factory) -> list[dict[str, Any]]:
    """Name, type, default and description of each option of a component."""
    properties = component.config.model_json_schema().get("properties", {})
    required = {name for name, field in component.config.model_fields.items() if field.is_required()}
    return [
        {
            "name": name,
            "type": _type_name(prop),
            "default": "(required)" if name in required else prop.get("default"),
            "description": prop.get("description", ""),
        }
        for name, prop in properties.items()
    ]


def _type_name(prop: dict[str, Any]) -> str:
    if "anyOf" in prop:
        return " or ".join(_type_name(item) for item in prop["anyOf"])
    if "$ref" in prop:
        return str(prop["$ref"]).rsplit("/", maxsplit=1)[-1]
    if "enum" in prop:
        return " | ".join(str(item) for item in prop["enum"])
    return str(prop.get("type", "any"))
