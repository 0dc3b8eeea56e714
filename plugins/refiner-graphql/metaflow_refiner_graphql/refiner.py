"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/): operations by name, errors inside a 200."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_core.api import Refinable, Refined, json_prefix
from metaflow_core.api.wire import Status

__all__ = ["GraphQLRefiner", "operation"]

_WORD = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_IGNORED = re.compile(r"(?:[\s,\ufeff]|#[^\r\n]*)+")
_STRING = re.compile(r'"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\r\n])*"?')
_KINDS = ("query", "mutation", "subscription")
_MOST_FIELDS = 3
# Codes of widely used servers by which the question was wrong.
_OF_CLIENT = frozenset(
    {
        "BAD_USER_INPUT",
        "BAD_REQUEST",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "PERSISTED_QUERY_NOT_FOUND",
        "PERSISTED_QUERY_NOT_SUPPORTED",
        "OPERATION_RESOLUTION_FAILURE",
        "UNAUTHENTICATED",
        "FORBIDDEN",
        "NOT_FOUND",
    }
)


class GraphQLRefiner:
    """See :class:`metaflow_core.api.Refiner`.

    :param paths: endings of the paths at which a body with a ``query`` is taken for GraphQL; elsewhere it also needs to read like it.
    """

    def __init__(self, paths: Sequence[str] = ("/graphql",)) -> None:
        self._paths = tuple(paths)

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """Requests get their operation as endpoint; responses their first error."""
        return [self._request(each) if each.is_request else _response(each) for each in messages]

    def _request(self, message: Refinable) -> Refined | None:
        if message.media_type == "application/graphql":
            call: Mapping[str, Any] = {"query": message.body}
        else:
            value = json_prefix(message.body)
            first = value[0] if isinstance(value, list) and value else value
            if not isinstance(first, dict):
                return None
            call = first
        document, told = call.get("query"), call.get("operationName")
        name = told if isinstance(told, str) else ""
        if isinstance(document, str):
            found = operation(document, name)
        else:
            # A persisted query: only its name and hash travel.
            found = ("query", name, ()) if name and _is_persisted(call) else None
        is_here = message.resource.partition("?")[0].endswith(self._paths)
        if found is None or not (is_here or isinstance(document, str)):
            return None
        kind, named, fields = found
        attributes = {"graphql_operation_type": kind}
        if named:
            attributes["graphql_operation_name"] = named
        return {"endpoint": f"{kind} {named or ' '.join(fields) or 'anonymous'}"[:256], "attributes": attributes}


def _is_persisted(call: Mapping[str, Any]) -> bool:
    extensions = call.get("extensions")
    return (isinstance(extensions, dict) and "persistedQuery" in extensions) or "id" in call or "documentId" in call


def operation(document: str, name: str = "") -> tuple[str, str, tuple[str, ...]] | None:
    """Kind, name and first fields of the operation of a document (the one called ``name``, else the first); None when it is no document.

    The document may be cut at any place.

    >>> operation("query GetUser($id: ID!) { user(id: $id) { name } }")
    ('query', 'GetUser', ('user',))
    """
    # Strings may hold braces and words.
    text = _STRING.sub('""', document)
    at = depth = 0
    first: tuple[str, str, tuple[str, ...]] | None = None
    while at < len(text):
        ignored = _IGNORED.match(text, at)
        if ignored is not None:
            at = ignored.end()
            continue
        if depth == 0:
            found, at = _definition(text, at)
            if found is None and first is None and at < 0:
                return None
            if found is not None:
                first = first or found
                if not name or found[1] == name:
                    return found
            if at < 0:
                break
            continue
        at += 1
    return first


def _definition(text: str, at: int) -> tuple[tuple[str, str, tuple[str, ...]] | None, int]:
    """One definition, and where the next begins; -1 for "no document, or its end is cut off"."""
    word = _WORD.match(text, at)
    kind, named = "query", ""
    if word is not None:
        kind = word.group()
        if kind not in (*_KINDS, "fragment"):
            return None, -1
        at = _past(text, word.end())
        after = _WORD.match(text, at)
        if after is not None:
            named, at = after.group(), after.end()
    elif not text.startswith("{", at):
        return None, -1
    start = text.find("{", at)
    if start < 0:
        return (None if kind == "fragment" else (kind, named, ())), -1
    depth, end = 0, start
    while end < len(text):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
        if depth == 0:
            break
    found = None if kind == "fragment" else (kind, named, _fields(text[start + 1 : end]))
    return found, end if depth == 0 else -1


def _past(text: str, at: int) -> int:
    ignored = _IGNORED.match(text, at)
    return ignored.end() if ignored is not None else at


def _fields(body: str) -> tuple[str, ...]:
    """The fields at the top of a selection, without aliases and arguments."""
    found: list[str] = []
    depth = at = 0
    while at < len(body) and len(found) < _MOST_FIELDS:
        sign = body[at]
        if sign in "{(":
            depth += 1
        elif sign in "})":
            depth -= 1
        elif depth == 0 and body.startswith("...", at):
            at = _past(body, at + 3)
            word = _WORD.match(body, at)
            at = word.end() if word is not None else at
            continue
        elif depth == 0 and (word := _WORD.match(body, at)) is not None:
            at = _past(body, word.end())
            if not body.startswith(":", at):
                found.append(word.group())
            continue
        elif sign == "@":
            word = _WORD.match(body, at + 1)
            at = word.end() if word is not None else at + 1
            continue
        at += 1
    return tuple(found)


def _response(message: Refinable) -> Refined | None:
    value = json_prefix(message.body)
    answer = value[0] if isinstance(value, list) and value else value
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict) or "message" not in errors[0]:
        return None
    extensions = errors[0].get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    attributes = {"graphql_errors": str(len(errors))}
    if isinstance(code, str):
        attributes["graphql_error_code"] = code[:128]
    is_client = code in _OF_CLIENT or (code is None and "data" not in answer and "path" not in errors[0])
    return {
        "status": Status.CLIENT_ERROR if is_client else Status.SERVER_ERROR,
        "exception": str(errors[0]["message"])[:512],
        "attributes": attributes,
    }
