"""From a document and the loaded plugins to a configuration that can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metaflow_core.config.components import Components, PluginView
from metaflow_core.config.document import CORE_SECTIONS, Document, Source, read_document, section
from metaflow_core.config.loaded import LoadedConfig
from metaflow_core.config.node import Node
from metaflow_core.config.placeholders import Lookup, Resolver, chain, core_resolver, substitute
from metaflow_core.config.sections import ServiceSection
from metaflow_core.config.wiring import Wiring
from metaflow_core.errors import ConfigError, Problem

__all__ = ["load_config"]


def load_config(
    source: Document | Source | Sequence[Source],
    host: PluginView,
    *,
    sets: Sequence[str] = (),
    resolvers: Sequence[Resolver] = (),
    environ: Mapping[str, str] | None = None,
    deny_warnings: bool = False,
) -> LoadedConfig:
    """Check everything: placeholders, options, references. Needs neither root nor a database nor the network.

    :param source: a document from :func:`read_document`, or what that takes. Read the document first when the plugins
        must be loaded from its ``plugins`` section.
    :param host: the plugin host, loaded.
    :param sets: ``path=value`` settings; only when ``source`` is not a document.
    :param resolvers: for placeholder schemes other than ``env`` and ``file``, in order.
    :param environ: environment for ``${env:...}``; default that of the process.
    :param deny_warnings: what is only a warning is a mistake too.
    :raises ConfigError: with every mistake at once, in the order of the files.
    """
    document = source if isinstance(source, Document) else read_document(source, sets=sets, environ=environ)
    tree, unresolved = _substitute(document.tree, chain_of(host, resolvers, environ))
    service, service_problems = section(tree, "service", ServiceSection)
    components = Components(host, tree, service or ServiceSection())
    wiring = Wiring(tree, components)
    problems = [*document.problems, *unresolved]
    # a placeholder that has no value is one mistake, not two
    settled = {problem.path for problem in problems if problem.path}
    later = (*service_problems, *components.problems, *wiring.problems)
    problems.extend(problem for problem in later if problem.path not in settled)
    if deny_warnings:
        problems.extend(wiring.warnings)
    if problems:
        raise ConfigError(_sorted(problems, document.files))
    return LoadedConfig(
        components=components.found,
        pipelines=wiring.pipelines,
        plugins=document.plugins,
        service=service or ServiceSection(),
        warnings=tuple(_sorted(wiring.warnings, document.files)),
        files=document.files,
    )


def chain_of(host: PluginView, resolvers: Sequence[Resolver], environ: Mapping[str, str] | None) -> Lookup:
    """The core's schemes, then the program's resolvers, then the plugins'."""
    from_plugins: Resolver | None = getattr(host, "resolve", None)
    others = [*resolvers, *([from_plugins] if from_plugins is not None else [])]
    return chain(core_resolver(environ), others)


def _substitute(tree: Node, lookup: Lookup) -> tuple[Node, list[Problem]]:
    """Everything but ``version`` and ``plugins``, which were settled when the document was read."""
    early = {name: node for name, node in tree.map.items() if name in CORE_SECTIONS[:2]}
    late = {name: node for name, node in tree.map.items() if name not in early}
    replaced, problems = substitute(Node(late, tree.mark), lookup)
    return Node({name: early.get(name) or replaced.map[name] for name in tree.map}, tree.mark), problems


def _sorted(problems: Sequence[Problem], files: Sequence[str]) -> list[Problem]:
    order = {file: index for index, file in enumerate(files)}
    unique = list(dict.fromkeys(problems))
    return sorted(unique, key=lambda p: (order.get(p.file or "", len(order)), p.file or "", p.line or 0))
