"""Reading: files and mappings to one merged tree, before any plugin is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from metaflow_core.config.explain import explain, nearest
from metaflow_core.config.merge import apply_set, merge
from metaflow_core.config.node import Node, from_plain
from metaflow_core.config.placeholders import Lookup, core_resolver, substitute
from metaflow_core.config.sections import COMPONENT_KINDS, VERSION, PluginsSection
from metaflow_core.config.yaml_reader import read_yaml
from metaflow_core.errors import ConfigError, Problem

__all__ = ["CORE_SECTIONS", "Document", "Source", "read_document", "section"]

Source: TypeAlias = str | Path | Mapping[str, object]
"""A file, or the configuration itself as maps, lists and scalars."""

CORE_SECTIONS = ("version", "plugins", "service", "pipelines")
_MAX_FILE_BYTES = 8 << 20
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration that is read but not yet checked against any plugin.

    :ivar tree: the merged tree; ``version`` and ``plugins`` have their placeholders replaced, the rest not.
    :ivar plugins: which plugins to load.
    :ivar files: the files it was read from, in order.
    :ivar problems: mistakes found so far; :func:`~metaflow_core.config.load.load_config` reports them with the others.
    """

    tree: Node
    plugins: PluginsSection
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_document(
    sources: Source | Sequence[Source], *, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Document:
    """Read and merge sources from left to right, then apply ``--set`` settings.

    :param sources: files or mappings. :param sets: ``path=value`` settings.
    :param environ: environment for ``${env:...}``; default that of the process.
    :raises ConfigError: a file cannot be read or is no YAML; every mistake of every file is in it.
    """
    listed = [sources] if isinstance(sources, (str, Path, Mapping)) else list(sources)
    tree = Node({})
    files: list[str] = []
    problems: list[Problem] = []
    minor: list[Problem] = []
    for source in listed:
        try:
            if isinstance(source, Mapping):
                node = _from_mapping(source)
            else:
                files.append(str(source))
                node = read_yaml(_read_file(Path(source)), str(source), minor)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if not node.is_map and node.value is not None:
            problems.append(
                Problem("", f"a configuration is a map of sections, found {node.word}", node.mark.file, node.mark.line)
            )
            continue
        tree = merge(tree, node)
    try:
        tree = apply_set(tree, sets)
    except ConfigError as error:
        problems.extend(error.problems)
    if problems:
        raise ConfigError([*minor, *problems])
    document = _bootstrap(tree, tuple(files), core_resolver(environ))
    return replace(document, problems=(*minor, *document.problems))


def _from_mapping(source: Mapping[str, object]) -> Node:
    try:
        return from_plain(source)
    except TypeError as error:
        raise ConfigError(str(error)) from None


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError([Problem("", f"the file cannot be read: {reason}", str(path))]) from error
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigError([Problem("", "the file is larger than 8 MiB; this is no configuration", str(path))])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem("", "the file is not UTF-8 text", str(path), line)]) from error


def _bootstrap(tree: Node, files: tuple[str, ...], lookup: Lookup) -> Document:
    """``version`` and ``plugins`` come first: the other placeholder schemes come from the plugins they load."""
    problems: list[Problem] = []
    entries = dict(tree.map)
    known = (*CORE_SECTIONS, *(kind.section for kind in COMPONENT_KINDS))
    for name, node in entries.items():
        if name not in known:
            problems.append(Problem(name, f"unknown section{nearest(name, known)}", node.mark.file, node.mark.line))
        elif name in CORE_SECTIONS[:2]:
            wrapped, found = substitute(Node({name: node}, node.mark), lookup)
            entries[name] = wrapped.map[name]
            problems.extend(found)
    version = entries.get("version")
    if version is not None and version.value != VERSION:
        shown = "" if version.placeholder else f", found {version.word}"
        message = f"this MetaFlow reads version {VERSION} of the configuration{shown}; write version: {VERSION}"
        problems.append(Problem("version", message, version.mark.file, version.mark.line))
    replaced = Node(entries, tree.mark)
    plugins, found = section(replaced, "plugins", PluginsSection)
    return Document(replaced, _beside_the_file(replaced, plugins or PluginsSection()), files, (*problems, *found))


def _beside_the_file(tree: Node, plugins: PluginsSection) -> PluginsSection:
    """Relative paths are meant relative to the file they stand in, not to where the program was started."""

    def placed(path: str | Path, *where: str | int) -> Path:
        written = Path(path).expanduser()
        file = tree.find(("plugins", *where)).mark.file
        if written.is_absolute() or file is None or file.startswith("--set"):
            return written
        return Path(file).parent / written

    artifacts = tuple(
        each.model_copy(update={"path": placed(each.path, "artifacts", index, "path")})
        for index, each in enumerate(plugins.artifacts)
    )
    paths = tuple(str(placed(each, "paths", index)) for index, each in enumerate(plugins.paths))
    return plugins.model_copy(update={"artifacts": artifacts, "paths": paths})


def section(tree: Node, name: str, model: type[ModelT]) -> tuple[ModelT | None, list[Problem]]:
    """Check one section of the core; the model is None when there are mistakes in it."""
    node = tree.map.get(name, Node({}))
    if not node.is_map and node.value is not None:
        message = f"a map of options is expected, found {node.word}"
        return None, [Problem(name, message, node.mark.file, node.mark.line)]
    try:
        return model.model_validate(node.plain() or {}), []
    except ValidationError as error:
        return None, explain(error, node, (name,), model)
