"""Parsers of a pipeline: which runtime runs each, and where its instances come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from metaflow_core.api.config import Config
from metaflow_core.api.factories import ArtifactLoader, ParserFactory
from metaflow_core.api.identity import Kind
from metaflow_core.api.parsing import ParserBinding, ParserDescription, ParserRuntime, RuntimeKind
from metaflow_core.config.components import PluginView
from metaflow_core.config.loaded import ComponentConfig
from metaflow_core.errors import ComponentError, MetaFlowError, UnavailableError

__all__ = ["bind_parser", "choose_runtime", "loaders_of"]

_ORDER = (RuntimeKind.NATIVE, RuntimeKind.WASM, RuntimeKind.PYTHON)


def bind_parser(component: ComponentConfig, host: PluginView) -> ParserBinding:
    """Choose the runtime of a configured parser and load its artifact.

    The option ``runtime`` of its configuration (``auto`` where it has none) decides; ``auto`` takes the fastest that is
    there and has a loader. ``ports`` and ``session_timeout_ms``, where the configuration has them, replace what the
    parser says of itself.

    :raises UnavailableError: no such runtime is there; the sentence names those that are.
    """
    factory = component.factory
    if not isinstance(factory, ParserFactory):
        raise ComponentError(f"{component.path}: is no parser")
    config = component.config
    loaders = loaders_of(host)
    kind = choose_runtime(component.path, factory, RuntimeKind(getattr(config, "runtime", RuntimeKind.AUTO)), loaders)
    options = {str(key): str(value) for key, value in factory.options(config).items()}
    create: Callable[[], ParserRuntime]
    artifact: Path | None = None
    if kind is RuntimeKind.PYTHON:
        create = _python(factory, config)
    else:
        artifact = factory.native if kind is RuntimeKind.NATIVE else factory.wasm
        loader = loaders[kind]
        try:
            create = loader.load(artifact, options, factory.limits)  # type: ignore[arg-type]  # choose_runtime saw it
        except MetaFlowError as error:
            raise UnavailableError(f"{component.path}: {error}") from error
        except Exception as error:
            raise UnavailableError(
                f"{component.path}: the {kind} artifact {artifact} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
    return ParserBinding(
        id=str(component.id),
        description=_description(factory.description, config),
        runtime=kind,
        create=create,
        options=options,
        artifact=artifact,
    )


def _python(factory: ParserFactory, config: Config) -> Callable[[], ParserRuntime]:
    make = factory.python
    if make is None:
        raise ComponentError(f"the parser {factory.type!r} has no Python runtime")
    return lambda: make(config)


def loaders_of(host: PluginView) -> dict[RuntimeKind, ArtifactLoader]:
    """What loads artifacts, by the runtime that they are for."""
    found: dict[RuntimeKind, ArtifactLoader] = {}
    for factory in host.registry.factories(Kind.LOADER).values():
        if isinstance(factory, ArtifactLoader):
            found.setdefault(factory.runtime, factory)
    return found


def choose_runtime(
    path: str, factory: ParserFactory, wanted: RuntimeKind, loaders: dict[RuntimeKind, ArtifactLoader]
) -> RuntimeKind:
    """The runtime to use.

    :param path: where the parser is configured, for the sentence.
    :raises UnavailableError: none fits.
    """
    there = factory.runtimes()
    usable = [kind for kind in _ORDER if kind in there and (kind is RuntimeKind.PYTHON or kind in loaders)]
    if wanted is RuntimeKind.AUTO:
        if usable:
            return usable[0]
        raise UnavailableError(
            f"{path}: the parser has no runtime that can be used here; {_state(factory, there, loaders)}"
        )
    if wanted in usable:
        return wanted
    names = " or ".join(usable)
    remedy = f"; set runtime: {names} or auto" if usable else ""
    raise UnavailableError(f"{path}: runtime {wanted} cannot be used; {_state(factory, there, loaders)}{remedy}")


def _state(factory: ParserFactory, there: tuple[RuntimeKind, ...], loaders: dict[RuntimeKind, ArtifactLoader]) -> str:
    parts: list[str] = []
    for kind, file in ((RuntimeKind.NATIVE, factory.native), (RuntimeKind.WASM, factory.wasm)):
        if file is None:
            parts.append(f"it has no {kind} artifact")
        elif kind not in there:
            parts.append(f"its {kind} artifact {file} is missing (was it built?)")
        elif kind not in loaders:
            parts.append(f"no plugin that loads {kind} artifacts is installed")
        else:
            parts.append(f"{kind} can be used")
    parts.append("python can be used" if RuntimeKind.PYTHON in there else "it has no Python runtime")
    return ", ".join(parts)


def _description(description: ParserDescription, config: Config) -> ParserDescription:
    from dataclasses import replace

    ports = getattr(config, "ports", None)
    timeout = getattr(config, "session_timeout_ms", None)
    if isinstance(ports, (tuple, list)) and all(isinstance(port, int) for port in ports):
        description = replace(description, ports=tuple(ports))
    if isinstance(timeout, int):
        description = replace(description, session_timeout_ms=timeout)
    return description
