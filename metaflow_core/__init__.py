"""MetaFlow: see what every service asks of every other.

The public names of the core, each imported when it is first used: importing this package opens nothing, reads no
environment, configures no logging and keeps no state.

    import metaflow_core as mf

    async with mf.App.from_file("metaflow.yaml") as app: ...
    mf.read_pcap("x.pcap").table("l7_flow_log").to_arrow()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaflow_core.api import (
        AppView,
        ArtifactLoader,
        BlockFlag,
        BlockFormat,
        BuildContext,
        Clock,
        Collector,
        CollectorFactory,
        Component,
        ComponentId,
        Config,
        Counters,
        CounterSample,
        Dialect,
        DialectFactory,
        Emit,
        Engine,
        EngineFactory,
        Exporter,
        ExporterFactory,
        Field,
        FileSupport,
        Kind,
        PacketBlock,
        Pairing,
        ParserBinding,
        ParserConfig,
        ParserDescription,
        ParserFactory,
        ParserFault,
        ParserLimits,
        ParserRuntime,
        QueryRequest,
        QueryResult,
        RecordBatch,
        Resource,
        Route,
        RuntimeKind,
        SecretStr,
        SegmentBlock,
        Service,
        ServiceFactory,
        Stability,
        Storage,
        StorageFactory,
        Tagger,
        TaggerFactory,
        TickBlock,
        parser_from_manifest,
    )
    from metaflow_core.errors import (
        ComponentError,
        ConfigError,
        InputError,
        MetaFlowError,
        ParseError,
        PluginError,
        QueryError,
        StorageError,
        UnavailableError,
    )
    from metaflow_core.hooks import hookimpl
    from metaflow_core.model.catalog import Catalog, load_catalog
    from metaflow_core.sdk import App, Capture, SyncApp, read_pcap, run

__all__ = [
    "App",
    "AppView",
    "ArtifactLoader",
    "BlockFlag",
    "BlockFormat",
    "BuildContext",
    "Capture",
    "Catalog",
    "Clock",
    "Collector",
    "CollectorFactory",
    "Component",
    "ComponentError",
    "ComponentId",
    "Config",
    "ConfigError",
    "CounterSample",
    "Counters",
    "Dialect",
    "DialectFactory",
    "Emit",
    "Engine",
    "EngineFactory",
    "Exporter",
    "ExporterFactory",
    "Field",
    "FileSupport",
    "InputError",
    "Kind",
    "MetaFlowError",
    "PacketBlock",
    "Pairing",
    "ParseError",
    "ParserBinding",
    "ParserConfig",
    "ParserDescription",
    "ParserFactory",
    "ParserFault",
    "ParserLimits",
    "ParserRuntime",
    "PluginError",
    "QueryError",
    "QueryRequest",
    "QueryResult",
    "RecordBatch",
    "Resource",
    "Route",
    "RuntimeKind",
    "SecretStr",
    "SegmentBlock",
    "Service",
    "ServiceFactory",
    "Stability",
    "Storage",
    "StorageError",
    "StorageFactory",
    "SyncApp",
    "Tagger",
    "TaggerFactory",
    "TickBlock",
    "UnavailableError",
    "hookimpl",
    "load_catalog",
    "parser_from_manifest",
    "read_pcap",
    "run",
]

_ERRORS = "metaflow_core.errors"
_CATALOG = "metaflow_core.model.catalog"
_SDK = "metaflow_core.sdk"
_HOMES = {
    "ComponentError": _ERRORS,
    "ConfigError": _ERRORS,
    "InputError": _ERRORS,
    "MetaFlowError": _ERRORS,
    "ParseError": _ERRORS,
    "PluginError": _ERRORS,
    "QueryError": _ERRORS,
    "StorageError": _ERRORS,
    "UnavailableError": _ERRORS,
    "hookimpl": "metaflow_core.hooks",
    "Catalog": _CATALOG,
    "load_catalog": _CATALOG,
    "App": _SDK,
    "Capture": _SDK,
    "SyncApp": _SDK,
    "read_pcap": _SDK,
    "run": _SDK,
}
"""Where a public name lives, for those that do not live in metaflow_core.api."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "metaflow_core.api")), name)


def __dir__() -> list[str]:
    return __all__
