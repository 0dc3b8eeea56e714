"""Calls of language models, on a capture of three official clients, over HTTP/2, and under garbage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_refiner_llm.plugin import metaflow_refiners
from metaflow_refiner_llm.refiner import LlmRefiner

import metaflow_core as mf
from metaflow_core.api import Refinable

CAPTURE = Path(__file__).with_name("captures") / "calls.pcap"


def refine(body: object, path: str = "", media_type: str = "application/json") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return LlmRefiner().refine([Refinable(bool(path), "POST", path, media_type=media_type, body=text)])[0]


def test_the_factory() -> None:
    (factory,) = metaflow_refiners()
    assert set(factory.refines) == {"http", "http2"}
    assert factory.create is not None
    assert isinstance(factory.create(factory.config()), LlmRefiner)


@pytest.mark.parametrize(
    ("path", "body", "endpoint", "provider"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": []}, "chat m", "openai"),
        ("/v1/responses", {"model": "m", "input": "x"}, "chat m", "openai"),
        ("/openai/deployments/mine/chat/completions?api-version=1", {"messages": []}, "chat mine", "azure.ai.openai"),
        ("/v1/messages", {"messages": [], "model": "c"}, "chat c", "anthropic"),
        ("/api/generate", {"model": "llama", "prompt": "x"}, "text_completion llama", "ollama"),
        (
            "/v1beta/models/gemini-2.0-flash:streamGenerateContent",
            {"contents": []},
            "chat gemini-2.0-flash",
            "gcp.gemini",
        ),
        ("/model/anthropic.claude-3/converse", {"messages": []}, "chat anthropic.claude-3", "aws.bedrock"),
        # cut in the middle of the messages, the model behind them not seen
        ("/v1/chat/completions", '{"model":"m","messages":[{"role":"user","content":"xx', "chat m", "openai"),
    ],
)
def test_requests(path: str, body: object, endpoint: str, provider: str) -> None:
    found = refine(body, path)
    assert (found["endpoint"], found["attributes"]["gen_ai_provider_name"]) == (endpoint, provider)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"to": "ann", "text": "hi"}),
        ("/survey/responses", {"answers": [1]}),
        ("/x", {"model": "m", "prompt": "x"}),
    ],
)
def test_other_requests_are_left_alone(path: str, body: object) -> None:
    assert refine(body, path) is None


@pytest.mark.parametrize(
    "body", [{"model": "T", "usage": 1}, {"error": "no"}, {"type": "message"}, [], "data", {"object": "list"}]
)
def test_other_answers_are_left_alone(body: object) -> None:
    assert refine(body) is None
    assert refine(f"data: {json.dumps(body)}\n\n", media_type="text/event-stream") is None


def test_a_real_capture() -> None:
    rows = mf.read_pcap(CAPTURE, refiners=["llm"]).requests().to_arrow().to_pylist()
    told = [
        (
            row["endpoint"],
            row["response_status"],
            attributes.get("gen_ai_usage_input_tokens"),
            attributes.get("gen_ai_usage_output_tokens"),
        )
        for row in rows
        for attributes in [dict(row["attributes"])]
    ]
    assert told == [
        ("chat gpt-4o-mini", "ok", "13", "7"), ("chat gpt-4o-mini", "ok", "13", "7"), ("chat nothing", "client_error", None, None),
        ("embeddings text-embedding-3-small", "ok", "4", None), ("chat claude-3-5-haiku-latest", "ok", "9", "5"),
        ("chat claude-3-5-haiku-latest", "ok", "9", "6"), ("chat claude-3-5-haiku-latest", "server_error", "9", "1"),
        ("chat llama3.2", "ok", "11", "2"), ("chat llama3.2", "ok", "11", "2"),
    ]  # fmt: skip
    assert rows[2]["response_exception"] == "model_not_found: The model `nothing` does not exist"
    assert rows[6]["response_exception"] == "overloaded_error: Overloaded"
    assert [dict(row["attributes"]).get("gen_ai_stream_events") for row in rows] == [
        None,
        "6",
        None,
        None,
        None,
        "6",
        "4",
        None,
        "3",
    ]
    # what was asked and said is in no row
    assert not any(
        "Say hello" in json.dumps(row, default=str) or "Hello there" in json.dumps(row, default=str) for row in rows
    )


@given(
    st.text(max_size=60),
    st.sampled_from(["application/json", "text/event-stream", "application/x-ndjson"]),
    st.booleans(),
)
def test_anything_is_taken(body: str, media_type: str, is_request: bool) -> None:
    path = "/v1/chat/completions" if is_request else ""
    for text in (
        body,
        '{"model": "m", "usage": ' + body,
        'data: {"type": "message_start", "message": {"usage": ' + body,
    ):
        refine(text, path, media_type)
