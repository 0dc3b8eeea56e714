"""What a request asks for: addresses of the widely used APIs of language models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from metaflow_core.api import Refinable, Refined, json_prefix

__all__ = ["request"]

# Endings of paths: operation, and the provider where only one has it. Names are those of OpenTelemetry's conventions for generative AI.
_ENDINGS: tuple[tuple[str, str, str], ...] = (
    ("/chat/completions", "chat", "openai"),
    ("/completions", "text_completion", "openai"),
    ("/responses", "chat", "openai"),
    ("/embeddings", "embeddings", "openai"),
    ("/moderations", "moderation", "openai"),
    ("/images/generations", "image_generation", "openai"),
    ("/rerank", "rerank", ""),
    ("/v1/messages", "chat", "anthropic"),
    ("/v1/messages/count_tokens", "count_tokens", "anthropic"),
    ("/v1/complete", "text_completion", "anthropic"),
    ("/api/chat", "chat", "ollama"),
    ("/api/generate", "text_completion", "ollama"),
    ("/api/embed", "embeddings", "ollama"),
    ("/api/embeddings", "embeddings", "ollama"),
)
_OF_GEMINI = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "embedContent": "embeddings",
    "countTokens": "count_tokens",
}
_GEMINI = re.compile(r"/models/([^/:]{1,128}):(\w+)$")
_AZURE = re.compile(r"/deployments/([^/]{1,128})/")
_BEDROCK = re.compile(r"^/model/([^/]{1,256})/(converse|converse-stream|invoke|invoke-with-response-stream)$")
# A key at the top whose value is a text, in a body that is cut before it is reached by a reader of JSON.
_MODEL = re.compile(r'"model"\s*:\s*"([^"\\]{1,128})"')
_ASKS = ("messages", "prompt", "input", "query", "system", "contents")


def request(message: Refinable) -> Refined | None:
    """The operation and the model as endpoint; None for another API."""
    path = message.resource.partition("?")[0].rstrip("/")
    if message.type != "POST":
        return None
    special = _special(path)
    ending = next(((name, by) for end, name, by in _ENDINGS if path.endswith(end)), None)
    if special is None and ending is None:
        return None
    body = json_prefix(message.body)
    body = body if isinstance(body, dict) else {}
    if special is not None:
        operation, provider, model, streams = special
    else:
        assert ending is not None
        operation, provider = ending
        model, streams = (
            _model(message, body),
            body.get("stream") is True or (provider == "ollama" and "stream" not in body),
        )
        azure = _AZURE.search(path)
        if azure is not None:
            provider, model = "azure.ai.openai", model or unquote(azure[1])
        # Other APIs have paths with these endings too: a model is asked something.
        if not model or not any(key in body for key in _ASKS):
            return None
    attributes = {"gen_ai_operation_name": operation}
    if provider:
        attributes["gen_ai_provider_name"] = provider
    if model:
        attributes["gen_ai_request_model"] = model
    if streams and operation in ("chat", "text_completion"):
        attributes["gen_ai_request_stream"] = "true"
    most = body.get("max_tokens", body.get("max_completion_tokens", body.get("max_output_tokens")))
    if isinstance(most, int) and not isinstance(most, bool):
        attributes["gen_ai_request_max_tokens"] = str(most)
    return {"endpoint": f"{operation} {model}".rstrip(), "attributes": attributes}


def _special(path: str) -> tuple[str, str, str, bool] | None:
    """APIs that name the model in the address: operation, provider, model, whether the answer is a stream."""
    gemini = _GEMINI.search(path)
    if gemini is not None and gemini[2] in _OF_GEMINI:
        return _OF_GEMINI[gemini[2]], "gcp.gemini", unquote(gemini[1]), gemini[2].startswith("stream")
    bedrock = _BEDROCK.match(path)
    if bedrock is not None:
        return "chat", "aws.bedrock", unquote(bedrock[1]), "stream" in bedrock[2]
    return None


def _model(message: Refinable, body: Mapping[str, Any]) -> str:
    named = body.get("model")
    if isinstance(named, str):
        return named[:128]
    found = _MODEL.search(message.body)
    return found[1] if found is not None else ""
