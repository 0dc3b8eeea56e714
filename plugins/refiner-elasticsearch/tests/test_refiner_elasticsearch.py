"""Operations of Elasticsearch by their paths, on a capture of the official client, and under garbage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_refiner_elasticsearch.plugin import metaflow_refiners
from metaflow_refiner_elasticsearch.refiner import ElasticsearchRefiner

import metaflow_core as mf
from metaflow_core.api import Refinable

CAPTURE = Path(__file__).with_name("captures") / "calls.pcap"


def refine(method: str, resource: str, media_type: str = "", agent: str = "") -> Any:
    message = Refinable(True, method, resource, media_type=media_type, attributes={"http_user_agent": agent})
    return ElasticsearchRefiner().refine([message])[0]


def test_the_factory() -> None:
    (factory,) = metaflow_refiners()
    assert factory.create is not None
    assert isinstance(factory.create(factory.config()), ElasticsearchRefiner)


@pytest.mark.parametrize(
    ("method", "resource", "endpoint"),
    [
        ("POST", "/orders,logs-2026.11.28/_search?size=1", "search orders,logs-*"),
        ("GET", "/_search", "search"),
        ("POST", "/_search/scroll", "scroll"),
        ("DELETE", "/_search/scroll", "clear_scroll"),
        ("PUT", "/orders/_create/7", "create orders"),
        ("POST", "/orders/_doc", "index orders"),
        ("DELETE", "/orders/_doc/7", "delete orders"),
        ("POST", "/_bulk", "bulk"),
        ("PUT", "/orders-000012/_mapping", "indices.put_mapping orders-*"),
        ("POST", "/_aliases", "indices.update_aliases"),
        ("GET", "/_nodes/stats", "nodes.stats"),
    ],
)
def test_operations(method: str, resource: str, endpoint: str) -> None:
    assert refine(method, resource)["endpoint"] == endpoint


def test_other_calls_are_left_alone() -> None:
    assert refine("GET", "/orders") is None
    assert refine("GET", "/orders", agent="elasticsearch-py/8.1")["endpoint"] == "indices.get orders"
    assert refine("GET", "/", agent="opensearch-py/2")["endpoint"] == "info"
    assert refine("POST", "/Patient/_search", "application/x-www-form-urlencoded") is None
    assert refine("GET", "/_next/static/x.js") is None


def test_a_real_capture() -> None:
    rows = mf.read_pcap(CAPTURE, refiners=["elasticsearch"]).requests().to_arrow().to_pylist()
    assert [(row["endpoint"], row["response_status"]) for row in rows] == [
        ("info", "ok"), ("indices.create orders", "ok"), ("index logs-*", "ok"), ("search orders", "ok"), ("bulk", "client_error"),
        ("search nothing", "client_error"), ("cluster.health", "ok"), ("cat.indices", "ok"), ("indices.refresh orders", "ok"),
        ("indices.exists orders", "ok"), ("indices.get_mapping orders", "ok"), ("indices.delete orders", "ok"),
    ]  # fmt: skip
    assert rows[4]["response_exception"] == "document_parsing_exception: failed to parse field [id] of type [long]"
    assert rows[5]["response_exception"] == "index_not_found_exception: no such index [nothing]"
    assert dict(rows[3]["attributes"])["es_took_ms"] == "5"


@given(st.text(max_size=60), st.text(max_size=40), st.booleans())
def test_anything_is_taken(resource: str, body: str, is_request: bool) -> None:
    refiner = ElasticsearchRefiner()
    for text in (body, '{"error": {"type": "x", "reason": ' + body, '{"errors": true, "items": [' + body):
        refiner.refine([Refinable(is_request, "GET", f"/{resource}", media_type="application/json", body=text)])
