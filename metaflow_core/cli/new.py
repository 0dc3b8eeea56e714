"""``mflow new plugin KIND NAME``: a plugin that installs and passes its own tests, to change from there."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import click

from metaflow_core.cli import exits
from metaflow_core.cli.output import print_lines

_KINDS = ("parser", "collector", "tagger", "storage", "dialect", "exporter", "service")
_LANGUAGES = ("c", "zig", "assemblyscript", "rust")
_TEMPLATES = "metaflow.templates.v1"


@click.group()
def new() -> None:
    """Start a plugin of your own from a template."""


@new.command(
    "plugin", epilog="The package that is made installs, is listed by 'mflow plugins list', and passes its tests."
)
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("name")
@click.option("--wasm", is_flag=True, help="A WebAssembly parser instead of a Python one (kind parser only).")
@click.option(
    "--lang", type=click.Choice(_LANGUAGES), default="c", show_default=True, help="Language of a --wasm parser."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to make; default metaflow-KIND-NAME."
)
def plugin(*, kind: str, name: str, wasm: bool, lang: str, out: Path | None) -> int:
    """Make a plugin package of a KIND called NAME.

    NAME is lower case letters, digits and underscores; it becomes the component's type, the package
    metaflow-KIND-NAME and the module metaflow_KIND_NAME.
    """
    from metaflow_core.api.identity import TYPE_PATTERN

    if not TYPE_PATTERN.match(name):
        raise click.UsageError(
            f"{name!r} cannot be a component's name: use lower case letters, digits and underscores, beginning with a letter."
        )
    if wasm and kind != "parser":
        raise click.UsageError(f"--wasm goes with the kind parser, not with {kind}.")
    folder = out or Path(f"metaflow-{kind}-{name.replace('_', '-')}")
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"the folder {folder} exists and is not empty; choose another with --out.")
    made = _render_wasm(name, lang, folder) if wasm else render(kind, name, folder)
    print_lines(
        (f"Made {folder} with {len(made)} files. Next:", "", f"  cd {folder}", "  pip install -e .", "  pytest")
    )
    print_lines(("  mflow plugins list", ""))
    return exits.OK


def _render_wasm(name: str, lang: str, folder: Path) -> list[Path]:
    points = importlib.metadata.entry_points(group=_TEMPLATES, name=f"wasm-{lang}")
    if not points:
        raise click.UsageError(
            f"the template for a WebAssembly parser in {lang} comes with the wasm tools; run: pip install metaflow-wasm-tools"
        )
    make = next(iter(points)).load()
    made: list[Path] = make(name, folder)
    return made


def render(kind: str, name: str, folder: Path) -> list[Path]:
    """Write the template of a kind into a folder; returns the files it wrote.

    In the template files ``@name@`` is the component's type, ``@dist@`` the same with hyphens, ``@Name@`` in CamelCase;
    a leading ``_`` and a trailing ``.txt`` of a file's name are taken off, so that nothing here is ever imported or collected.
    """
    values = {
        "@name@": name,
        "@dist@": name.replace("_", "-"),
        "@Name@": "".join(part.capitalize() for part in name.split("_")),
        "@kind@": kind,
        "@Kind@": kind.capitalize(),
        "@core@": importlib.metadata.version("metaflow-core"),
    }
    made: list[Path] = []
    templates = Path(__file__).parent / "templates"
    for source in sorted([*(templates / "common").iterdir(), *(templates / kind).iterdir()]):
        target = folder / _place(source.name, kind, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(
            r"@\w+@", lambda match: values.get(match.group(), match.group()), source.read_text(encoding="utf-8")
        )
        target.write_text(text, encoding="utf-8")
        made.append(target)
    return made


def _place(template: str, kind: str, name: str) -> str:
    module = f"metaflow_{kind}_{name}"
    file = template.removesuffix(".txt")
    if file.startswith("test_"):
        return f"tests/{file.replace('NAME', name)}"
    if file.endswith((".py", "py.typed")):
        return f"{module}/{file}"
    return "." + file.removeprefix("dot") if file.startswith("dot") else file
