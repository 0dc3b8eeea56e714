"""Errors as JSON: a code for machines, a sentence for people, the column where a question has one."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from metaflow_core.errors import MetaFlowError, QueryError, QuerySyntaxError, StorageError, UnsupportedQuery

__all__ = ["DEFECT", "error_response", "of_error"]

DEFECT = "the server failed on this request, which is a defect of MetaFlow; its log says more"


def error_response(
    status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None, *, column: int | None = None
) -> JSONResponse:
    """A refusal. ``OPT_STATUS`` and ``DESCRIPTION`` are there for clients of the reference model."""
    document: dict[str, object] = {"OPT_STATUS": "FAILED", "DESCRIPTION": sentence, "error": code}
    if column is not None:
        document["column"] = column
    return JSONResponse(document, status, dict(headers or {}))


def of_error(error: MetaFlowError) -> JSONResponse:
    """The refusal for an error of ours: 400 for a mistake in the question, 422 for what nothing here can answer, 503 for a store."""
    if isinstance(error, QuerySyntaxError):
        return error_response(400, error.code, str(error), column=error.column)
    if isinstance(error, UnsupportedQuery):
        return error_response(422, error.code, str(error))
    if isinstance(error, QueryError):
        return error_response(400, error.code, str(error))
    return error_response(503 if isinstance(error, StorageError) else 500, error.code, str(error))
