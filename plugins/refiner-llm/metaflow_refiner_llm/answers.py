"""What an answer tells: model, tokens, why it ended, errors; in one piece, in events, or in lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from metaflow_core.api import Refinable, Refined, json_prefix
from metaflow_core.api.wire import Status

__all__ = ["response"]

_IN = ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount", "inputTokens")
_OUT = ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount", "outputTokens")
_MODELS = ("model", "modelVersion")
_ENDS = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_OBJECTS = ("chat.completion", "chat.completion.chunk", "text_completion", "response", "list", "embedding")


def response(message: Refinable) -> Refined | None:
    """Attributes of an answer; None when it is none of a language model."""
    if message.media_type == "text/event-stream":
        parts = list(_events(message.body))
        # A stream of other things may hold anything: one of its events must be of a model.
        if not any(_is_answer(part) for part in parts):
            return _failed(parts, is_stream=True)
        return _told(parts, is_stream=True)
    if message.media_type == "application/x-ndjson":
        parts = list(_lines(message.body))
        return _told(parts, is_stream=True) if any(_is_answer(part) for part in parts) else None
    whole = json_prefix(message.body)
    if not isinstance(whole, dict):
        return None
    return _told([whole], is_stream=False) if _is_answer(whole) else _failed([whole], is_stream=False)


def _events(body: str) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines():
        if line.startswith("data:"):
            yield from _lines(line[5:])


def _lines(body: str) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines():
        if line.strip().startswith("{"):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value


def _is_answer(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    if kind == "message" and "model" in part:
        return True
    if kind == "message_start" and isinstance(part.get("message"), dict):
        return True
    if isinstance(kind, str) and kind.startswith("response.") and isinstance(part.get("response"), dict):
        return True
    if part.get("object") in _OBJECTS and ("choices" in part or "usage" in part or "output" in part):
        return "model" in part
    if "candidates" in part and ("usageMetadata" in part or "modelVersion" in part):
        return True
    return "model" in part and isinstance(part.get("created_at"), str) and ("done" in part or "embeddings" in part)


def _told(parts: list[Mapping[str, Any]], *, is_stream: bool) -> Refined | None:
    tokens: dict[str, int] = {}
    attributes: dict[str, str] = {}
    for part in parts:
        inner: Mapping[str, Any] = next(
            (part[key] for key in ("message", "response") if isinstance(part.get(key), dict)), {}
        )
        for each in (part, inner):
            _tokens(each, tokens)
            model = next((each[key] for key in _MODELS if isinstance(each.get(key), str)), "")
            if model:
                attributes["gen_ai_response_model"] = model[:128]
            reason = _reason(each)
            if reason:
                attributes["gen_ai_response_finish_reason"] = reason[:64]
    for name, count in tokens.items():
        attributes[f"gen_ai_usage_{name}_tokens"] = str(count)
    if is_stream:
        attributes["gen_ai_stream_events"] = str(len(parts))
    failed = _failed(parts, is_stream=is_stream)
    if failed is not None:
        return {**failed, "attributes": {**attributes, **failed["attributes"]}}
    return {"attributes": attributes} if attributes else None


def _tokens(part: Mapping[str, Any], tokens: dict[str, int]) -> None:
    """The newest number counts: streams tell it as it grows."""
    places = [part[key] for key in ("usage", "usageMetadata") if isinstance(part.get(key), dict)]
    if "eval_count" in part or "prompt_eval_count" in part:
        places.append(part)
    for place in places:
        for name, keys in (("input", _IN), ("output", _OUT)):
            count = next((place[key] for key in keys if isinstance(place.get(key), int)), None)
            if count is not None and not isinstance(count, bool):
                tokens[name] = count


def _reason(part: Mapping[str, Any]) -> str:
    places: list[Any] = [part, part.get("delta")]
    for key in ("choices", "candidates"):
        many = part.get(key)
        places.extend(many[:1] if isinstance(many, list) else [])
    for place in places:
        if isinstance(place, dict):
            found = next((place[key] for key in _ENDS if isinstance(place.get(key), str)), "")
            if found:
                return found
    return ""


def _failed(parts: list[Mapping[str, Any]], *, is_stream: bool) -> Refined | None:
    """``{"error": {"message": ..., "type": ...}}``, as all of these APIs have it; in a stream it comes inside a 200."""
    for part in parts:
        error = part.get("error")
        if isinstance(error, dict) and isinstance(error.get("message"), str) and ("type" in error or "code" in error):
            kind = next((str(error[key]) for key in ("code", "type", "status") if isinstance(error.get(key), str)), "")
            said = f"{kind}: {error['message']}" if kind else error["message"]
            refined: dict[str, Any] = {
                "exception": said[:512],
                "attributes": {"gen_ai_error_type": kind[:128]} if kind else {},
            }
            if is_stream:
                refined["status"] = Status.SERVER_ERROR
            return refined
    return None
