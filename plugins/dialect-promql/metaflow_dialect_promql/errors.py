"""Errors that the HTTP API tells apart."""

from __future__ import annotations

from metaflow_core.errors import QueryError

__all__ = ["BadParameter", "QueryTimeout", "TooManySamples"]


class BadParameter(QueryError):
    """A parameter beside the expression is wrong."""

    code = "query-parameter"


class QueryTimeout(QueryError):
    """The time that a query may take is over."""

    code = "query-timeout"


class TooManySamples(QueryError):
    """A query would hold more samples, or give more series, than is allowed."""

    code = "query-too-large"
