"""The plugin's hooks: the engine, and the loader of native parsers that it can call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_core import (
    ArtifactLoader,
    BuildContext,
    EngineFactory,
    ParserBinding,
    ParserLimits,
    ParserRuntime,
    RuntimeKind,
    Stability,
    hookimpl,
)
from metaflow_engine_flow.config import EngineConfig
from metaflow_engine_flow.tables import TABLES, catalogue_name


def _engine(context: BuildContext, config: EngineConfig, parsers: Sequence[ParserBinding]) -> Any:
    # Imported when an engine is built, not when plugins are listed.
    from metaflow_engine_flow.component import FlowEngineComponent

    return FlowEngineComponent(context, config, parsers)


def _load(path: Path, options: Mapping[str, str], limits: ParserLimits) -> Callable[[], ParserRuntime]:
    from metaflow_engine_flow.parser_library import load

    return load(path, options, limits)


@hookimpl
def metaflow_engines() -> Iterable[EngineFactory]:
    """Offer the flow engine."""
    return [
        EngineFactory(
            type="flow",
            config=EngineConfig,
            create=_engine,
            tables=tuple(catalogue_name(name) for name in TABLES),
            stability=Stability.BETA,
            summary="Packets to flows, TCP health, messages, exchanges and metrics; native or WebAssembly.",
        )
    ]


@hookimpl
def metaflow_loaders() -> Iterable[ArtifactLoader]:
    """Offer the loader of native parsers."""
    return [
        ArtifactLoader(
            type="native",
            suffixes=(".so", ".dylib", ".dll"),
            runtime=RuntimeKind.NATIVE,
            load=_load,
            stability=Stability.BETA,
            summary="Native parsers (shared objects with the mf_* symbols), called by the engine itself.",
        )
    ]
