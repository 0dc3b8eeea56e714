"""What is asked over HTTP is answered, refused or given up as it must be; a real server on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from metaflow_core.api import Route
from metaflow_core.errors import StartError


async def test_json_is_the_reference_models(serve: Any, fake: Any) -> None:
    client = await serve()
    answer = await client.post("/v1/query", data={"db": "flow_log", "sql": "ok", "data_precision": "1s"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["OPT_STATUS"] == "SUCCESS"
    assert document["result"]["columns"] == ["t", "v", "l", "b", "n"]
    assert document["result"]["values"] == [
        ["2023-11-14T22:13:20Z", 1.5, ["a", "b"], base64.b64encode(b"\x00\x01").decode(), 2**63],
        [None, None, [], None, 1],
    ]
    assert document["result"]["schemas"][1] == {
        "name": "v",
        "unit": "us",
        "type": 1,
        "value_type": "float64",
        "pre_as": "",
        "label_type": "",
    }
    assert document["warnings"] == ["something was cut"]
    dialect, text, params = fake.asked[0]
    assert (dialect, text, params["db"], params["data_precision"]) == ("sql", "ok", "flow_log", "1s")


async def test_json_body_and_limits(serve: Any, fake: Any) -> None:
    client = await serve(max_rows=100, timeout_s=30)
    answer = await client.post(
        "/v1/query/", json={"sql": "ok", "max_rows": 1000, "timeout_s": 900, "debug": True, "raw": True}
    )
    assert answer.json()["debug"]["physical"] == "SELECT 1"
    _, _, params = fake.asked[0]
    assert params["max_rows"] == 100
    assert params["timeout_s"] == 35
    assert params["raw"] is True


async def test_csv_and_arrow(serve: Any) -> None:
    client = await serve()
    text = await client.post("/v1/query", data={"sql": "ok"}, headers={"accept": "text/csv"})
    assert text.text.splitlines()[1] == '2023-11-14T22:13:20Z,1.5,"[""a"", ""b""]",AAE=,9223372036854775808'
    assert json.loads(text.headers["x-metaflow-warnings"]) == ["something was cut"]
    arrow = await client.post("/v1/query", data={"sql": "ok", "format": "arrow"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column("n").to_pylist() == [2**63, 1]
    assert table.schema.field("v").metadata == {b"unit": b"us"}


async def test_accept_is_weighed(serve: Any) -> None:
    client = await serve()
    answer = await client.post(
        "/v1/query", data={"sql": "ok"}, headers={"accept": "text/html, application/json;q=0.5, text/csv;q=0.9"}
    )
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("request_", "status", "code", "part"),
    [
        ({"data": {"sql": "wrong"}}, 400, "query-syntax", "column 7"),
        ({"data": {"sql": "unable"}}, 422, "query-unsupported", "nothing here can"),
        ({"data": {"sql": "gone"}}, 503, "storage", "not there"),
        ({"data": {"sql": "defect"}}, 500, "internal", "defect of MetaFlow"),
        ({"data": {}}, 400, "bad-request", "'sql' is missing"),
        ({"data": {"sql": "   "}}, 400, "bad-request", "'sql' is missing"),
        ({"json": ["sql"]}, 400, "bad-request", "JSON object"),
        ({"json": {"sql": 3}}, 400, "bad-request", "'sql' is missing"),
        ({"json": {"sql": "ok", "max_rows": -1}}, 400, "bad-request", "'max_rows'"),
        ({"json": {"sql": "ok", "timeout_s": "soon"}}, 400, "bad-request", "'timeout_s'"),
        ({"json": {"sql": "ok", "raw": "perhaps"}}, 400, "bad-request", "'raw'"),
        ({"json": {"sql": "ok", "format": "xml"}}, 400, "not-acceptable", "formats are json, csv, arrow"),
        ({"data": {"sql": "ok"}, "headers": {"accept": "image/png"}}, 406, "not-acceptable", "media types"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "bad-request", "no JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "bad-request", "no JSON"),
        (
            {"content": b"sql=%ff", "headers": {"content-type": "application/x-www-form-urlencoded"}},
            400,
            "bad-request",
            "form cannot be read",
        ),
        ({"content": b"<x/>", "headers": {"content-type": "text/xml"}}, 415, "media-type", "text/xml is not taken"),
        ({"content": b"x" * 200_000, "headers": {"content-type": "application/json"}}, 413, "too-large", "larger than"),
    ],
)
async def test_refusals_are_sentences(serve: Any, request_: dict[str, Any], status: int, code: str, part: str) -> None:
    client = await serve(max_body_bytes=150_000)
    answer = await client.post("/v1/query", **request_)
    assert answer.status_code == status
    document = answer.json()
    assert (document["OPT_STATUS"], document["error"]) == ("FAILED", code)
    assert part in document["DESCRIPTION"]
    assert "secret" not in answer.text


async def test_a_body_of_unknown_length_is_bounded(serve: Any) -> None:
    client = await serve(max_body_bytes=10_000)

    async def parts() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    answer = await client.post("/v1/query", content=parts(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_slow_questions_are_given_up(serve: Any, fake: Any) -> None:
    client = await serve(timeout_s=0.2)
    answer = await client.post("/v1/query", data={"sql": "slow"})
    assert answer.status_code == 504
    assert "0.2 s" in answer.json()["DESCRIPTION"]
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_who_goes_away_is_no_longer_worked_for(serve: Any, fake: Any) -> None:
    client = await serve()
    asking = asyncio.ensure_future(client.post("/v1/query", data={"sql": "slow"}, timeout=60))
    await asyncio.wait_for(fake.begun.wait(), 5)
    asking.cancel()
    await asyncio.wait_for(fake.cancelled.wait(), 5)
    assert (await client.get("/v1/status")).json()["queries_running"] == 0


async def test_too_many_at_once_are_told_to_come_again(serve: Any, fake: Any) -> None:
    client = await serve(max_concurrent=1)
    first = asyncio.ensure_future(client.post("/v1/query", data={"sql": "slow"}, timeout=60))
    await asyncio.wait_for(fake.begun.wait(), 5)
    second = await client.post("/v1/query", data={"sql": "ok"})
    assert (second.status_code, second.headers["retry-after"]) == (503, "1")
    first.cancel()
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_token(serve: Any) -> None:
    client = await serve(token="geheim")
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic geheim"},
        {"authorization": "geheim"},
    ):
        answer = await client.post("/v1/query", data={"sql": "ok"}, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await client.get("/v1/catalog")).status_code == 401
    assert (await client.get("/v1/health/")).status_code == 200
    assert (
        await client.post("/v1/query", data={"sql": "ok"}, headers={"authorization": "Bearer geheim"})
    ).status_code == 200


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate and is not installed")
    made, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return made, key


async def test_tls(serve: Any, certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    client = await serve(
        verify=ssl.create_default_context(cafile=str(made)), tls_certificate=str(made), tls_key=str(key)
    )
    assert str(client.base_url).startswith("https://")
    assert (await client.get("/v1/health/")).status_code == 200


async def test_tls_that_cannot_be(serve: Any, tmp_path: Any) -> None:
    with pytest.raises(StartError, match="TLS cannot be set up"):
        await serve(tls_certificate=str(tmp_path / "none"), tls_key=str(tmp_path / "none"))


async def test_a_port_that_is_taken(serve: Any) -> None:
    client = await serve()
    with pytest.raises(StartError, match="cannot listen on"):
        await serve(listen=f"127.0.0.1:{client.base_url.port}")


async def test_state(serve: Any, fake: Any) -> None:
    client = await serve()
    assert (await client.get("/v1/ready")).status_code == 200
    fake.states["storage"] = "failed"
    answer = await client.get("/v1/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["no storage is running"])
    assert (await client.get("/v1/status")).json()["components"][0]["state"] == "failed"


async def test_catalog(serve: Any) -> None:
    client = await serve()
    whole = (await client.get("/v1/catalog")).json()
    assert any(table["name"] == "flow_metrics.network" and "1m" in table["precisions"] for table in whole["tables"])
    one = (await client.get("/v1/catalog", params={"table": "l7_flow_log"})).json()
    assert any(column["name"] == "endpoint" for column in one["columns"])
    assert any(metric["name"] == "error_ratio" and "Avg" in metric["functions"] for metric in one["metrics"])
    wrong = await client.get("/v1/catalog", params={"table": "l7_flow_logg"})
    assert (wrong.status_code, "did you mean 'l7_flow_log'" in wrong.text) == (404, True)


async def test_description_and_page(serve: Any) -> None:
    client = await serve()
    document = (await client.get("/openapi.json")).json()
    page = (await client.get("/")).text
    for path, operations in document["paths"].items():
        assert path in page
        for method in operations:
            answer = await client.request(method, path)
            assert str(answer.status_code) in operations[method]["responses"]
    assert (await client.get("/nowhere")).json()["error"] == "not-found"
    assert (await client.get("/v1/query")).status_code == 405


class Other:
    """A service with a route of its own."""

    def routes(self) -> list[Route]:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            body = f"{scope['root_path']}|{scope['path']}".encode()
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-length", str(len(body)).encode())],
                }
            )
            await send({"type": "http.response.body", "body": body})

        return [Route(path="/prom", app=answer, summary="PromQL"), Route(path="/", app=answer, summary="pages")]


async def test_routes_of_other_services_are_mounted(serve: Any) -> None:
    client = await serve({"services": {"other": Other()}})
    assert (await client.get("/prom/api/v1/query")).text == "/prom|/prom/api/v1/query"
    assert (await client.get("/prometheus")).text == "|/prometheus"
    assert (await client.get("/v1/health/")).json() == {"status": "ok"}
    assert (await client.get("/")).text == "|/"


async def test_stop_ends_it(serve: Any) -> None:
    client = await serve()
    await client.service.stop()
    await client.service.stop()
    with pytest.raises(httpx.ConnectError):
        await client.get("/v1/health/")


CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"


class Following:
    """A tap that gives what it is given, then ends."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.closed = False

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        if not self.batches:
            raise StopAsyncIteration
        return self.batches.pop(0)

    async def aclose(self) -> None:
        self.closed = True


async def test_tail_sends_rows_as_they_are_made(serve: Any, fake: Any) -> None:
    from metaflow_core import read_pcap

    capture = read_pcap(CAPTURE)
    batches = [each for each in capture.stream_all() if each.table == "flow_log.l7_flow_log"]
    taps: list[Following] = []

    def tap(name: str, **wanted: object) -> Following:
        taps.append(Following(list(batches)))
        return taps[-1]

    fake.tap = tap
    fake.config.pipelines["live"] = None
    client = await serve()
    parameters = {"where": "server_port = 16379", "columns": "start_time,endpoint", "rows_per_s": "20"}
    answer = await client.get("/v1/tail", params=parameters)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    rows = [row for event in events for row in event.get("rows", ())]
    assert sum(event.get("skipped", 0) for event in events) + len(rows) == 42
    assert len(rows) <= 20
    assert set(rows[0]) == {"start_time", "endpoint"}
    assert taps[0].closed


@pytest.mark.parametrize(
    ("parameters", "status", "part"),
    [
        ({"table": "l7_flow_logg"}, 400, "did you mean 'l7_flow_log'"),
        ({"where": "endpont = 1"}, 400, "endpoint"),
        ({"columns": "nothing"}, 422, "has no column 'nothing'"),
        ({"rows_per_s": "0"}, 400, "from 1 to 500"),
        ({"rows_per_s": "many"}, 400, "from 1 to 500"),
    ],
)
async def test_tail_refuses_before_it_begins(serve: Any, parameters: dict[str, str], status: int, part: str) -> None:
    client = await serve()
    answer = await client.get("/v1/tail", params=parameters)
    assert (answer.status_code, part in answer.text) == (status, True), answer.text


async def test_doctor_gives_what_the_plugins_find(serve: Any, fake: Any, tmp_path: Path) -> None:
    from metaflow_core.api import Examination, Finding, FindingState
    from metaflow_core.hooks.host import PluginHost
    from metaflow_core.hooks.markers import hookimpl

    class Mine:
        @hookimpl
        def metaflow_examinations(self) -> list[Examination]:
            missing = Finding(FindingState.MISSING, "<b>licence</b>", "not there", "buy one")
            return [Examination("mine", lambda surroundings: [missing])]

    fake.host = PluginHost()
    fake.host.load(autoload=False, objects=[Mine()])
    fake.config.service.data_dir = tmp_path
    client = await serve()
    document = (await client.get("/v1/doctor")).json()
    assert document["counts"]["missing"] == 1
    assert document["findings"][-1]["remedy"] == "buy one"
