"""JSON schema of the whole configuration, with the options of every loaded plugin: for editors and ``mflow schema``."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from metaflow_core.api.identity import Kind
from metaflow_core.config.components import PluginView
from metaflow_core.config.sections import (
    COMPONENT_KINDS,
    VERSION,
    PipelineSection,
    PluginsSection,
    ServiceSection,
    StartupError,
)

__all__ = ["json_schema"]

_PLACEHOLDER = {"type": "string", "pattern": r"\$\{[^{}:]+:[^{}]+\}"}


def json_schema(host: PluginView) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a configuration file for the plugins that are loaded."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "version": {"const": VERSION, "description": "Version of the configuration's format."},
        "plugins": _model(PluginsSection, "core", definitions),
    }
    for kind in COMPONENT_KINDS:
        properties[kind.section] = _section(host, kind, definitions)
    properties["pipelines"] = {
        "type": "object",
        "description": "The ways of the data, by name.",
        "additionalProperties": _model(PipelineSection, "core", definitions),
    }
    properties["service"] = _model(ServiceSection, "core", definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "MetaFlow configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _section(host: PluginView, kind: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    patterns: dict[str, Any] = {}
    for name, factory in host.registry.factories(kind).items():
        schema = _model(factory.config, f"{kind.section}.{name}", definitions, core_keys=kind)
        # an empty section ("http:") means every option at its default
        patterns[f"^{re.escape(name)}(/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"] = {
            "description": factory.summary,
            "anyOf": [schema, {"type": "null"}],
        }
    return {
        "type": ["object", "null"],
        "description": f"The {kind.section}, by id: TYPE or TYPE/NAME.",
        "patternProperties": patterns,
        "additionalProperties": False,
    }


def _model(
    model: type[BaseModel], prefix: str, definitions: dict[str, Any], *, core_keys: Kind | None = None
) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/$defs/" + prefix + ".{model}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = _allow_placeholders(definition)
    schema = _allow_placeholders(schema)
    if core_keys is not None:
        own = schema.setdefault("properties", {})
        own["_startup_error"] = {
            "enum": [choice.value for choice in StartupError],
            "description": "When this component cannot start.",
        }
        if core_keys is Kind.DIALECT:
            own["_storage"] = {"type": "string", "description": "Id of the storage that is asked."}
    definitions[f"{prefix}.{model.__name__}"] = schema
    return {"$ref": f"#/$defs/{prefix}.{model.__name__}"}


def _allow_placeholders(schema: Any) -> Any:
    """A number may also be written as a placeholder: it is replaced before the options are checked."""
    if isinstance(schema, list):
        return [_allow_placeholders(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: value if key in ("default", "examples", "enum", "const", "required") else _allow_placeholders(value)
        for key, value in schema.items()
    }
    if schema.get("type") in ("integer", "number", "boolean") or (schema.get("type") == "string" and "enum" in schema):
        notes = {key: result.pop(key) for key in ("title", "description", "default") if key in result}
        return {**notes, "anyOf": [result, _PLACEHOLDER]}
    return result
