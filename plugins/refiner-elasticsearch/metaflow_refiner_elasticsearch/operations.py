"""Operations by method and path, called as the official clients call them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["index_shape", "operation", "whole"]

_OF_DOCUMENTS: Mapping[str, str] = {
    "_search": "search",
    "_msearch": "msearch",
    "_async_search": "async_search.submit",
    "_count": "count",
    "_bulk": "bulk",
    "_mget": "mget",
    "_update": "update",
    "_create": "create",
    "_update_by_query": "update_by_query",
    "_delete_by_query": "delete_by_query",
    "_explain": "explain",
    "_field_caps": "field_caps",
    "_knn_search": "knn_search",
    "_pit": "open_point_in_time",
    "_rank_eval": "rank_eval",
    "_reindex": "reindex",
    "_search_shards": "search_shards",
    "_source": "get_source",
    "_sql": "sql.query",
    "_eql": "eql.search",
    "_query": "esql.query",
    "_termvectors": "termvectors",
    "_terms_enum": "terms_enum",
    "_validate": "indices.validate_query",
}
# What is done with the index itself.
_OF_INDICES = frozenset(
    {"_refresh", "_flush", "_forcemerge", "_mapping", "_mappings", "_settings", "_alias", "_aliases", "_stats", "_open", "_close",
     "_analyze", "_segments", "_recovery", "_rollover", "_shrink", "_split", "_clone", "_template", "_index_template", "_data_stream",
     "_component_template", "_cache", "_resolve", "_shard_stores"}
)  # fmt: skip
# Parts of the API that have operations of their own below them.
_SPACES = frozenset({"_cat", "_cluster", "_nodes", "_snapshot", "_ingest", "_tasks", "_ilm", "_slm", "_ml", "_security", "_license",
                     "_transform", "_enrich", "_watcher", "_remote", "_ccr", "_xpack", "_plugins", "_scripts"})  # fmt: skip
_VERBS = {"GET": "get", "PUT": "put", "POST": "put", "DELETE": "delete", "HEAD": "exists"}
_OF_INDEX = {"GET": "indices.get", "PUT": "indices.create", "DELETE": "indices.delete", "HEAD": "indices.exists"}
_MANY = re.compile(r"[0-9][0-9.\-_:]{3,}|(?<=[-_.])[0-9]+(?![a-z])")
_NAMED = frozenset(
    {
        "_mapping",
        "_mappings",
        "_settings",
        "_alias",
        "_template",
        "_index_template",
        "_data_stream",
        "_component_template",
    }
)


def operation(method: str, parts: Sequence[str]) -> tuple[str, str] | None:
    """Operation and index of a path's parts; None when no part says that this is Elasticsearch.

    >>> operation("POST", ["orders", "_search"])
    ('search', 'orders')
    """
    at = next((at for at, part in enumerate(parts[:2]) if part.startswith("_") and part != "_all"), None)
    if at is None:
        return None
    index = parts[0] if at == 1 else ""
    word, below = parts[at], parts[at + 1 :]
    if word in ("_doc", "_create") and at == 1:
        return ("create" if word == "_create" else _document(method)), index
    if word == "_search" and below and below[0] in ("scroll", "template", "point_in_time"):
        return (
            f"clear_{below[0]}" if method == "DELETE" else f"search_{below[0]}" if below[0] == "template" else below[0]
        ), index
    if word in _OF_DOCUMENTS:
        return _OF_DOCUMENTS[word], index
    if word in _OF_INDICES:
        name = word.removeprefix("_")
        if word in _NAMED:
            name = f"{_VERBS.get(method, method.lower())}_{name}"
        elif word == "_aliases":
            name = "update_aliases" if method == "POST" else "get_aliases"
        return f"indices.{name}", index
    if word in _SPACES:
        what = next((part for part in below if part.replace("_", "").isalpha()), "")
        return f"{word[1:]}.{what}".rstrip("."), index
    return None


def _document(method: str) -> str:
    return {"GET": "get", "HEAD": "exists", "DELETE": "delete"}.get(method, "index")


def whole(method: str, parts: Sequence[str]) -> tuple[str, str] | None:
    """What a path without a word of the API means, where it is known to be one of Elasticsearch."""
    if not parts:
        return ("ping" if method == "HEAD" else "info"), ""
    return (_OF_INDEX[method], parts[0]) if len(parts) == 1 and method in _OF_INDEX else None


def index_shape(index: str) -> str:
    """Names of indices without dates and numbers.

    >>> index_shape("logs-2026.11.28,metrics-000012")
    'logs-*,metrics-*'
    """
    return ",".join(dict.fromkeys(_MANY.sub("*", each) for each in index.split(",")[:8]))[:128]
