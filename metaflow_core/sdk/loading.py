"""From what a person wrote to a configuration that can run: document, plugins, artifacts, check."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metaflow_core.api.clock import SystemClock
from metaflow_core.api.factories import ArtifactLoader, ParserFactory
from metaflow_core.api.identity import Kind
from metaflow_core.api.manifest import parser_from_manifest
from metaflow_core.api.parsing import RuntimeKind
from metaflow_core.config import Document, LoadedConfig, Resolver, Source, load_config, read_document
from metaflow_core.config.sections import ArtifactSection
from metaflow_core.errors import ConfigError, PluginError, PluginLoadError, Problem
from metaflow_core.hooks.host import PluginHost
from metaflow_core.pipeline import Builder, StatusBoard, check_build
from metaflow_core.sdk.vocabulary import catalog_of

__all__ = ["Loading", "add_artifacts", "check_config", "open_host", "verify_artifacts"]


def open_host(
    document: Document, *, plugins: Sequence[object] = (), autoload: bool | None = None, strict: bool = False
) -> PluginHost:
    """Load the plugins that a document asks for, and the parser artifacts.

    :param plugins: modules or objects handed over by a program. :param autoload: overrides ``plugins.autoload``.
    :param strict: a plugin that cannot be used is an error.
    :raises PluginError: a required plugin is missing; when strict, one cannot be used.
    :raises ConfigError: an artifact cannot be used.
    """
    section = document.plugins
    host = PluginHost(strict=strict, override=section.override)
    host.load(
        autoload=section.autoload if autoload is None else autoload,
        enable=section.enable,
        disable=section.disable,
        require=section.require,
        paths=section.paths,
        objects=plugins,
    )
    add_artifacts(host, document)
    return host


def add_artifacts(host: PluginHost, document: Document) -> None:
    """Make the parsers of ``plugins.artifacts`` known to a host.

    :raises ConfigError: with every artifact that is missing, changed, of an unknown kind, or without a manifest.
    """

    def add(artifact: ArtifactSection, factory: ParserFactory) -> None:
        host.registry.add(f"artifact {artifact.path.name}", str(artifact.path), [factory])

    _each_artifact(host, document, add)


def verify_artifacts(host: PluginHost, document: Document) -> None:
    """Check the files of ``plugins.artifacts`` again before a reload takes another build of one over.

    :raises ConfigError: with every artifact that is missing, or is not the one that its digest names.
    """
    _each_artifact(host, document, lambda artifact, factory: None)


def _each_artifact(host: PluginHost, document: Document, use: Callable[[ArtifactSection, ParserFactory], None]) -> None:
    problems: list[Problem] = []
    for index, artifact in enumerate(document.plugins.artifacts):
        mark = document.tree.find(("plugins", "artifacts", index)).mark
        try:
            use(artifact, _artifact(host, artifact))
        except PluginError as error:
            problems.append(Problem(f"plugins.artifacts[{index}]", str(error), mark.file, mark.line))
    if problems:
        raise ConfigError(problems)


def _artifact(host: PluginHost, artifact: ArtifactSection) -> ParserFactory:
    path = artifact.path
    loader = _loader(host, path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PluginLoadError(f"the artifact {path} cannot be read: {error.strerror or error}") from error
    if artifact.sha256 is not None and digest != artifact.sha256.lower():
        raise PluginLoadError(
            f"the sha256 of {path} is {digest}, the configuration expects {artifact.sha256.lower()}; "
            "the file was changed, or the configuration belongs to another version"
        )
    manifest = path.with_name(path.name.partition(".")[0] + ".metaflow.toml")
    if not manifest.exists():
        raise PluginLoadError(f"{path} has no manifest; it belongs beside it as {manifest.name}")
    if loader.runtime is RuntimeKind.NATIVE:
        factory = parser_from_manifest(manifest, native=path.name)
    else:
        factory = parser_from_manifest(manifest, wasm=path.name)
    limits = factory.limits
    if artifact.memory_mib is not None:
        limits = replace(limits, memory_mib=artifact.memory_mib)
    if artifact.deadline_ms is not None:
        limits = replace(limits, deadline_ms=artifact.deadline_ms)
    return replace(factory, limits=limits)


def _loader(host: PluginHost, path: Path) -> ArtifactLoader:
    suffixes: list[str] = []
    for factory in host.registry.factories(Kind.LOADER).values():
        if isinstance(factory, ArtifactLoader):
            if path.name.endswith(factory.suffixes):
                return factory
            suffixes.extend(factory.suffixes)
    known = f"loaded can be: {', '.join(suffixes)}" if suffixes else "no plugin that loads artifacts is installed"
    raise PluginLoadError(f"no plugin loads {path.name!r} ({''.join(path.suffixes) or 'no suffix'}); {known}")


def check_config(loaded: LoadedConfig, host: PluginHost) -> None:
    """Build every component once, start nothing, and find what only shows then: two components on one port, a parser
    without a runtime. Needs neither root nor a database nor the network.

    :raises ConfigError: with every mistake.
    """
    clock = SystemClock()
    check_build(loaded, Builder(host, catalog_of(host), clock, StatusBoard(clock, lambda status: None)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How a configuration is read, kept so that a reload reads it the same way.

    :ivar sources: files or mappings. :ivar sets: ``path=value`` settings. :ivar resolver: for placeholder schemes.
    :ivar environ: for ``${env:...}``; None is that of the process.
    """

    sources: tuple[Source, ...]
    sets: tuple[str, ...] = ()
    resolver: Resolver | None = None
    environ: Mapping[str, str] | None = None

    def document(self) -> Document:
        """Read the sources.

        :raises ConfigError: they cannot be read.
        """
        return read_document(self.sources, sets=self.sets, environ=self.environ)

    def load(self, document: Document, host: PluginHost) -> LoadedConfig:
        """Check a document against the plugins.

        :raises ConfigError: with every mistake.
        """
        resolvers = [self.resolver] if self.resolver is not None else []
        return load_config(document, host, resolvers=resolvers, environ=self.environ)
