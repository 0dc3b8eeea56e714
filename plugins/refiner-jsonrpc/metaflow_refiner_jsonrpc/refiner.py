"""JSON-RPC 1.0 and 2.0 (https://www.jsonrpc.org/specification), and the Model Context Protocol on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_core.api import Refinable, Refined, json_prefix
from metaflow_core.api.wire import Status

__all__ = ["JsonRpcRefiner"]

# Codes by which the server says that the question was wrong (specification, "Error object").
_OF_CLIENT = frozenset({-32700, -32600, -32601, -32602})
_MOST_NAMES = 8
_MOST_EVENTS = 64
# Methods whose parameters name what is really called (Model Context Protocol).
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri", "resources/subscribe": "uri"}


class JsonRpcRefiner:
    """See :class:`metaflow_core.api.Refiner`."""

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """Requests get their method as endpoint; responses their error."""
        return [_request(each) if each.is_request else _response(each) for each in messages]


def _calls(message: Refinable) -> list[Mapping[str, Any]]:
    """The calls or answers of a body: several in a batch, and one in each event, where notifications may come before the answer."""
    if message.media_type == "text/event-stream":
        lines = [line[5:] for line in message.body.splitlines() if line.startswith("data:")]
        values = [json_prefix(line) for line in lines[:_MOST_EVENTS]]
    else:
        values = [json_prefix(message.body)]
    items = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each for each in items if isinstance(each, dict)]


def _request(message: Refinable) -> Refined | None:
    calls = [each for each in _calls(message) if isinstance(each.get("method"), str) and _is_rpc(each)]
    if not calls:
        return None
    names = list(dict.fromkeys(_name(each) for each in calls))
    endpoint = names[0] if len(calls) == 1 else f"batch {', '.join(names[:_MOST_NAMES])}"
    attributes = {"rpc_system": "jsonrpc", "jsonrpc_version": str(calls[0].get("jsonrpc", "1.0"))}
    if calls[0].get("id") is not None:
        attributes["jsonrpc_id"] = str(calls[0]["id"])[:128]
    if len(calls) > 1:
        attributes["jsonrpc_batch"] = str(len(calls))
    return {"endpoint": endpoint[:512], "attributes": attributes}


def _is_rpc(call: Mapping[str, Any]) -> bool:
    """Version 2 says so; version 1 has parameters in a list and an id."""
    return "jsonrpc" in call or (isinstance(call.get("params"), list) and "id" in call)


def _name(call: Mapping[str, Any]) -> str:
    method, parameters = str(call["method"]), call.get("params")
    inner = parameters.get(_NAMED.get(method, "")) if isinstance(parameters, dict) else None
    return f"{method} {inner}" if isinstance(inner, str) else method


def _response(message: Refinable) -> Refined | None:
    answers = [each for each in _calls(message) if "jsonrpc" in each]
    failed = next((each["error"] for each in answers if isinstance(each.get("error"), dict)), None)
    if failed is None:
        # A tool that failed says so inside its result (Model Context Protocol, "Error Handling").
        told: Mapping[str, Any] = next((each["result"] for each in answers if isinstance(each.get("result"), dict)), {})
        return {"status": Status.SERVER_ERROR, "exception": _content(told)} if told.get("isError") is True else None
    code = failed.get("code")
    whole = code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 1 << 31 else None
    status = Status.CLIENT_ERROR if whole in _OF_CLIENT else Status.SERVER_ERROR
    return {"status": status, "code": whole, "exception": str(failed.get("message") or "")[:512]}


def _content(result: Mapping[str, Any]) -> str:
    content = result.get("content")
    texts = [each.get("text") for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    return next((text[:512] for text in texts if isinstance(text, str)), "the tool failed")
