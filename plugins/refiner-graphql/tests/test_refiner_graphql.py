"""GraphQL by its messages, on a capture of a real server, and under garbage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_refiner_graphql.plugin import metaflow_refiners
from metaflow_refiner_graphql.refiner import GraphQLRefiner, operation

import metaflow_core as mf
from metaflow_core.api import Refinable
from metaflow_core.api.wire import Status

CAPTURE = Path(__file__).with_name("captures") / "calls.pcap"


def refine(
    body: object, *, is_request: bool = True, media_type: str = "application/json", path: str = "/graphql"
) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    message = Refinable(is_request=is_request, type="POST", resource=path, media_type=media_type, body=text)
    return GraphQLRefiner().refine([message])[0]


def test_the_factory() -> None:
    (factory,) = metaflow_refiners()
    assert factory.refines == ("http", "http2")
    assert factory.create is not None
    assert isinstance(factory.create(factory.config(paths=["/api"])), GraphQLRefiner)


@pytest.mark.parametrize(
    ("document", "name", "expected"),
    [
        ("query GetUser($id: ID!) { user(id: $id) { name } }", "", ("query", "GetUser", ("user",))),
        ("{ a: user(id: 1) @skip(if: true) { x } ...F posts }", "", ("query", "", ("user", "posts"))),
        ("fragment F on X { y } mutation M { do }", "", ("mutation", "M", ("do",))),
        ("query A { x } query B { y }", "B", ("query", "B", ("y",))),
        ('# query Not { x }\nsubscription S { """{ } query""" tick }', "", ("subscription", "S", ("tick",))),
        ('query Q { find(text: "} mutation") { id } more }', "", ("query", "Q", ("find", "more"))),
        ("query Cut($a: Int) { us", "", ("query", "Cut", ("us",))),
        ("SELECT 1", "", None),
        ("", "", None),
    ],
)
def test_operations(document: str, name: str, expected: object) -> None:
    assert operation(document, name) == expected


def test_requests() -> None:
    found = refine({"query": "mutation Pay { pay { id } }"})
    assert found["endpoint"] == "mutation Pay"
    assert found["attributes"] == {"graphql_operation_type": "mutation", "graphql_operation_name": "Pay"}
    assert refine({"query": "{ me { id } }"}, path="/other")["endpoint"] == "query me"
    persisted = {"operationName": "Feed", "extensions": {"persistedQuery": {"sha256Hash": "ab"}}}
    assert refine(persisted)["endpoint"] == "query Feed"
    assert refine(persisted, path="/search") is None
    assert refine("{ me }", media_type="application/graphql")["endpoint"] == "query me"
    assert refine('{"query": "query Long { user { fr')["endpoint"] == "query Long"
    for other in ({"query": "SELECT 1"}, {"query": 7}, {"a": 1}, [], "x"):
        assert refine(other) is None


def test_answers() -> None:
    wrong = refine(
        {"errors": [{"message": "no field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, is_request=False
    )
    assert (wrong["status"], wrong["exception"]) == (Status.CLIENT_ERROR, "no field")
    broken = refine({"data": None, "errors": [{"message": "away", "path": ["user"]}]}, is_request=False)
    assert broken["status"] == Status.SERVER_ERROR
    for fine in ({"data": {}}, {"errors": []}, {"errors": [1]}, "x"):
        assert refine(fine, is_request=False) is None


def test_a_real_capture() -> None:
    rows = mf.read_pcap(CAPTURE, refiners=["graphql"]).requests().where("request_resource = '/graphql'")
    found = [
        (row["endpoint"], row["response_status"], row["response_exception"]) for row in rows.to_arrow().to_pylist()
    ]
    assert found == [
        ("query GetUser", "ok", ""),
        ("query user", "ok", ""),
        ("mutation Broken", "server_error", "the database is away"),
        ("query Wrong", "client_error", "Cannot query field"),
    ]


@given(st.text(max_size=60))
def test_any_document_is_taken(document: str) -> None:
    operation(document)
    operation("query A {" + document)
    refine({"query": document})
    refine({"errors": document}, is_request=False)
