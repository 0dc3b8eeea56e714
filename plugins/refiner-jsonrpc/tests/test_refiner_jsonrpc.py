"""JSON-RPC and MCP by their messages, on a capture of a real server, and under garbage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_refiner_jsonrpc.plugin import metaflow_refiners
from metaflow_refiner_jsonrpc.refiner import JsonRpcRefiner

import metaflow_core as mf
from metaflow_core.api import Refinable
from metaflow_core.api.wire import Status

CAPTURE = Path(__file__).with_name("captures") / "calls.pcap"


def refine(body: object, *, is_request: bool = True, media_type: str = "application/json") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return JsonRpcRefiner().refine([Refinable(is_request=is_request, media_type=media_type, body=text)])[0]


def test_the_factory() -> None:
    (factory,) = metaflow_refiners()
    assert factory.refines == ("http", "http2")
    assert factory.create is not None
    assert isinstance(factory.create(factory.config()), JsonRpcRefiner)


@pytest.mark.parametrize(
    ("body", "endpoint"),
    [
        ({"jsonrpc": "2.0", "method": "eth_call", "id": 1}, "eth_call"),
        ({"method": "sum", "params": [1, 2], "id": 1}, "sum"),
        ([{"jsonrpc": "2.0", "method": "a", "id": 1}, {"jsonrpc": "2.0", "method": "b", "id": 2}], "batch a, b"),
        ({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "get_weather"}}, "tools/call get_weather"),
        ({"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": "file:///a"}}, "resources/read file:///a"),
        ('{"jsonrpc": "2.0", "method": "long", "params": {"text": "xxxx', "long"),
    ],
)
def test_methods_become_endpoints(body: object, endpoint: str) -> None:
    assert refine(body)["endpoint"] == endpoint


@pytest.mark.parametrize("body", [{"method": "GET"}, {"jsonrpc": "2.0", "method": 7}, [], "nothing", {"a": 1}, "{", ""])
def test_other_bodies_are_left_alone(body: object) -> None:
    assert refine(body) is None


def test_errors_of_answers() -> None:
    wrong = refine({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "bad"}}, is_request=False)
    assert (wrong["status"], wrong["code"], wrong["exception"]) == (Status.CLIENT_ERROR, -32602, "bad")
    broken = refine({"jsonrpc": "2.0", "id": 1, "error": {"code": 1 << 40, "message": "x"}}, is_request=False)
    assert (broken["status"], broken["code"]) == (Status.SERVER_ERROR, None)
    event = 'event: message\ndata: {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"away"}}\n\n'
    assert refine(event, is_request=False, media_type="text/event-stream")["exception"] == "away"
    note = 'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n'
    assert refine(note + event, is_request=False, media_type="text/event-stream")["exception"] == "away"
    tool = {"jsonrpc": "2.0", "result": {"isError": True, "content": [{"type": "text", "text": "no such city"}]}}
    assert refine(tool, is_request=False)["exception"] == "no such city"
    assert refine({"jsonrpc": "2.0", "id": 1, "result": 1}, is_request=False) is None


def test_a_real_capture() -> None:
    rows = mf.read_pcap(CAPTURE, refiners=["jsonrpc"]).requests().to_arrow().to_pylist()
    found = [(row["endpoint"], row["response_status"], row["response_exception"]) for row in rows]
    assert found[:6] == [
        ("subtract", "ok", ""),
        ("nope", "client_error", "Method not found"),
        ("break", "server_error", "Disk full"),
        ("batch subtract, add", "ok", ""),
        ("tools/call get_weather", "ok", ""),
        ("tools/call bad_tool", "server_error", "no such city"),
    ]
    assert found[-1][0] == "long", "a body longer than what is kept"
    plain = mf.read_pcap(CAPTURE).requests().to_arrow().to_pylist()
    assert [row["response_duration"] for row in plain] == [row["response_duration"] for row in rows]
    assert {row["endpoint"] for row in plain} == {"/rpc", "/mcp", "/graphql"}


@given(st.text(max_size=60), st.booleans())
def test_any_body_is_taken(body: str, is_request: bool) -> None:
    refine(body, is_request=is_request)
    refine('{"jsonrpc": ' + body, is_request=is_request)
