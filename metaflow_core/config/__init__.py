"""The configuration: reading, merging, placeholders, checking, comparing. Nothing here builds a component."""

from __future__ import annotations

from metaflow_core.config.diff import ConfigDiff, diff_configs
from metaflow_core.config.document import Document, Source, read_document
from metaflow_core.config.load import load_config
from metaflow_core.config.loaded import ComponentConfig, ComponentKey, LoadedConfig, PipelineConfig
from metaflow_core.config.placeholders import Resolver
from metaflow_core.config.schema import json_schema
from metaflow_core.config.sections import OnError, PluginsSection, StartupError

__all__ = [
    "ComponentConfig",
    "ComponentKey",
    "ConfigDiff",
    "Document",
    "LoadedConfig",
    "OnError",
    "PipelineConfig",
    "PluginsSection",
    "Resolver",
    "Source",
    "StartupError",
    "diff_configs",
    "json_schema",
    "load_config",
    "read_document",
]
