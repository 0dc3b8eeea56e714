"""The description of the API's paths, as OpenAPI 3.1; served beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["openapi"]

_TEXT = {"type": "string"}
_NUMBER = {"type": "string", "pattern": "^[0-9]{1,9}$"}
_QUERY = ("query", True, {**_TEXT, "minLength": 1}, "The expression.")
_TIME = "Seconds since 1970 with a fraction, or RFC 3339."
_LIMIT = ("limit", False, _NUMBER, "How many are answered at most; 0 for all.")
_WINDOW = (("start", False, _TEXT, _TIME), ("end", False, _TEXT, _TIME))
_TIMEOUT = ("timeout", False, _TEXT, "A duration, as 30s.")
_LOOKBACK = ("lookback_delta", False, _TEXT, "A duration: how long a sample counts.")
_MATCH = {"type": "array", "items": _TEXT}

_Parameter = tuple[str, bool, Mapping[str, Any], str]


def openapi(version: str) -> dict[str, Any]:
    """The document; paths begin with ``/api/v1``.

    :param version: of the language.
    """
    matches: tuple[_Parameter, ...] = (("match[]", False, _MATCH, "Selectors of series."), *_WINDOW, _LIMIT)
    asked: dict[str, tuple[str, Sequence[_Parameter]]] = {
        "query": ("At one moment.", (_QUERY, ("time", False, _TEXT, _TIME), _TIMEOUT, _LIMIT, _LOOKBACK)),
        "query_range": (
            "Over a range.",
            (
                _QUERY,
                ("start", True, _TEXT, _TIME),
                ("end", True, _TEXT, _TIME),
                ("step", True, _TEXT, "A duration, or seconds."),
                _TIMEOUT,
                _LIMIT,
                _LOOKBACK,
            ),
        ),
        "query_exemplars": ("Exemplars of the series that an expression selects.", (_QUERY, *_WINDOW)),
        "series": ("Label sets.", (("match[]", True, {**_MATCH, "minItems": 1}, "Selectors of series."), *matches[1:])),
        "labels": ("Names of labels.", matches),
        "format_query": ("The expression, written nicely.", (_QUERY,)),
        "parse_query": ("The expression as a tree.", (_QUERY,)),
    }
    paths: dict[str, Any] = {
        f"/api/v1/{name}": {
            "get": _operation(name, summary, parameters),
            "post": _operation(f"{name}_form", summary, parameters, form=True),
        }
        for name, (summary, parameters) in asked.items()
    }
    plain: dict[str, tuple[str, Sequence[_Parameter]]] = {
        "metadata": (
            "Help and units.",
            (
                _LIMIT,
                ("limit_per_metric", False, _NUMBER, "Of one metric."),
                ("metric", False, _TEXT, "Only this one."),
            ),
        ),
        **{
            name: (summary, ())
            for name, summary in (
                ("status/buildinfo", "Version of the language."),
                ("status/config", "Empty: nothing is scraped."),
                ("status/flags", "Empty."),
                ("status/runtimeinfo", "Empty."),
                ("rules", "None."),
                ("alerts", "None."),
                ("targets", "None."),
                ("alertmanagers", "None."),
            )
        },
    }
    for name, (summary, parameters) in plain.items():
        paths[f"/api/v1/{name}"] = {"get": _operation(name.replace("/", "_"), summary, parameters)}
    values = _operation("label_values", "Values of a label.", matches)
    values["parameters"].insert(
        0, {"name": "name", "in": "path", "required": True, "schema": {**_TEXT, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}}
    )
    paths["/api/v1/label/{name}/values"] = {"get": values}
    return {
        "openapi": "3.1.0",
        "info": {"title": "MetaFlow's Prometheus API", "version": version, "description": "Without remote read, which is protobuf."},
        "paths": paths,
    }  # fmt: skip


def _operation(name: str, summary: str, parameters: Sequence[_Parameter], *, form: bool = False) -> dict[str, Any]:
    failed = {"description": "What is wrong.", "content": {"application/json": {"schema": _FAILURE}}}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": _SUCCESS}}},
            **dict.fromkeys(("400", "413", "422", "500", "503"), failed),
        },
    }
    if not form:
        operation["parameters"] = [
            {"name": name, "in": "query", "required": required, "schema": dict(schema), "description": said}
            for name, required, schema, said in parameters
        ]
        return operation
    schema = {
        "type": "object",
        "required": [name for name, required, *_ in parameters if required],
        "properties": {name: {**schema, "description": said} for name, _, schema, said in parameters},
    }
    operation["requestBody"] = {
        "required": bool(schema["required"]),
        "content": {"application/x-www-form-urlencoded": {"schema": schema}},
    }
    return operation


_SUCCESS = {
    "type": "object",
    "required": ["status", "data"],
    "properties": {
        "status": {"const": "success"},
        "warnings": {"type": "array", "items": _TEXT},
        "infos": {"type": "array", "items": _TEXT},
    },
}
_FAILURE = {
    "type": "object",
    "required": ["status", "errorType", "error"],
    "properties": {"status": {"const": "error"}, "errorType": _TEXT, "error": _TEXT},
}
