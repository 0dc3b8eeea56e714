"""The description of the service's own paths, as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

__all__ = ["openapi"]

_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["OPT_STATUS", "DESCRIPTION", "error"],
    "properties": {
        "OPT_STATUS": {"const": "FAILED"},
        "DESCRIPTION": {**_TEXT, "description": "A sentence for the person who must act."},
        "error": {**_TEXT, "description": "A stable code."},
        "column": {"type": "integer", "description": "Where the mistake stands in the question, from 1."},
    },
}
_FORMS = ["json", "csv", "arrow"]
_SQL = {**_TEXT, "minLength": 1, "pattern": "[A-Za-z0-9]", "description": "The question."}
_DB = "Database of tables named without one."
_PRECISION = "Precision of tables named without one: 1s, 1m, 1h, 1d."
_RAW = "The text is the storage's own SQL, read only."
_DEBUG = "Tell how long it took and what was run."
_FIELDS = {
    "type": "object",
    "required": ["sql"],
    "properties": {
        "sql": _SQL,
        "db": {"type": ["string", "null"], "description": _DB},
        "data_precision": {"type": ["string", "null"], "description": _PRECISION},
        "format": {"enum": [*_FORMS, None]},
        "max_rows": {"type": ["integer", "null"], "minimum": 1, "maximum": 999_999_999},
        "timeout_s": {"type": ["number", "null"], "minimum": 0.1, "maximum": 999_999_999},
        "raw": {"type": ["boolean", "null"], "description": _RAW},
        "debug": {"type": ["boolean", "null"], "description": _DEBUG},
    },
}
_FORM = {
    "type": "object",
    "required": ["sql"],
    "properties": {
        "sql": _SQL,
        "db": {**_TEXT, "description": _DB},
        "data_precision": {**_TEXT, "description": _PRECISION},
        "format": {"enum": _FORMS},
        "max_rows": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        "timeout_s": {"type": "number", "minimum": 0.1, "maximum": 999_999_999},
        "raw": {"enum": ["true", "false", "1", "0"], "description": _RAW},
        "debug": {"enum": ["true", "false", "1", "0"], "description": _DEBUG},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["OPT_STATUS", "result"],
    "properties": {
        "OPT_STATUS": {"const": "SUCCESS"},
        "DESCRIPTION": _TEXT,
        "result": {
            "type": "object",
            "required": ["columns", "values", "schemas"],
            "properties": {
                "columns": {"type": "array", "items": _TEXT},
                "values": {"type": "array", "items": {"type": "array"}},
                "schemas": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": _TEXT,
                            "unit": _TEXT,
                            "type": {"enum": [0, 1]},
                            "value_type": _TEXT,
                            "pre_as": _TEXT,
                            "label_type": _TEXT,
                        },
                    },
                },
            },
        },
        "warnings": {"type": "array", "items": _TEXT},
        "debug": {"type": ["object", "null"]},
    },
}


def openapi(*, version: str, has_token: bool) -> dict[str, Any]:
    """The document."""
    errors = {
        status: _error(said)
        for status, said in {
            "400": "The request or the question is wrong.",
            "406": "No form of the answer is acceptable.",
            "413": "The body is too large.",
            "415": "The body is neither a form nor JSON.",
            "422": "Nothing here can answer it.",
            "503": "Busy, or the store is not there.",
            "504": "Not answered in time.",
        }.items()
    }
    token = {"401": _error("The token is missing or wrong.")} if has_token else {}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "MetaFlow querier", "version": version, "description": "Questions about what services ask of each other."},
        "paths": {
            "/v1/query": {
                "post": {
                    "summary": "Ask in SQL.",
                    "operationId": "query",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": _FIELDS},
                            "application/x-www-form-urlencoded": {"schema": _FORM},
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "The rows.",
                            "content": {
                                "application/json": {"schema": _ANSWER},
                                "text/csv": {"schema": _TEXT},
                                "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
                            },
                        },
                        **errors,
                        **token,
                    },
                }
            },
            "/v1/catalog": _get("Tables, functions, enumerations; with ?table= one table with its columns, metrics and tags.", "catalog",
                                {"404": _error("There is no such table."), **token},
                                [{"name": "table", "in": "query", "required": False, "schema": _TEXT}]),
            "/v1/status": _get("State of every component, every counter.", "status", token),
            "/v1/doctor": _get("What this machine has and lacks, each with its remedy.", "doctor", token),
            "/v1/tail": {"get": {
                "summary": "Rows as they are made, as server-sent events: data is {rows, skipped}.",
                "operationId": "tail",
                "parameters": [
                    {"name": "table", "in": "query", "schema": {**_TEXT, "default": "l7_flow_log"}},
                    {"name": "where", "in": "query", "schema": _TEXT},
                    {"name": "columns", "in": "query", "schema": {**_TEXT, "description": "Names with commas between."}},
                    {"name": "rows_per_s", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}},
                ],
                "responses": {
                    "200": {"description": "Events until one side ends it.", "content": {"text/event-stream": {"schema": {}}}},
                    "400": errors["400"], "422": errors["422"], "503": errors["503"], **token,
                },
            }},
            "/v1/health/": _get("The process answers.", "health", {}),
            "/v1/ready": _get("Questions can be answered.", "ready", {"503": {"description": "Not yet.", "content": {"application/json": {"schema": {"type": "object"}}}}}),
        },
    }  # fmt: skip
    if has_token:
        document["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"token": []}]
        for path in ("/v1/health/", "/v1/ready"):
            document["paths"][path]["get"]["security"] = []
    return document


def _error(said: str) -> dict[str, Any]:
    return {"description": said, "content": {"application/json": {"schema": _ERROR}}}


def _get(
    summary: str, name: str, others: dict[str, Any], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    answer = {"description": "An object.", "content": {"application/json": {"schema": {"type": "object"}}}}
    operation: dict[str, Any] = {"summary": summary, "operationId": name, "responses": {"200": answer, **others}}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}
