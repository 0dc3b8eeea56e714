"""Every question of every panel is put to MetaFlow's own interfaces, over a replayed capture."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import importlib.util
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from metaflow_grafana.dashboards import boards

from metaflow_core import App, read_pcap
from metaflow_core.api import Kind, RecordBatch
from metaflow_core.cli.root import run_cli
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import free_port

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
END = int(datetime.datetime(2026, 11, 21, 7, 30, tzinfo=datetime.UTC).timestamp())
BEGIN = END - 900
LOG = "flow_log.l7_flow_log"
BOARDS = {board.uid: board for board in boards(load_catalog())}


@dataclass(frozen=True)
class Instance:
    url: str
    clickhouse: str


def seen_by_processes(batch: pa.RecordBatch, point: str) -> pa.RecordBatch:
    """The same calls as eBPF sees them at one end."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["signal_source"] = pa.array([3] * batch.num_rows, pa.uint16())
    columns["observation_point"] = pa.array([point] * batch.num_rows, pa.string())
    columns["gprocess_id_1"] = pa.array([7 if point == "s-p" else 0] * batch.num_rows, pa.uint32())
    return pa.record_batch(columns)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    pytest.importorskip("chdb", reason="chdb is not installed; run: pip install metaflow-storage-clickhouse")
    pytest.importorskip("metaflow_clickhouse_http", reason="metaflow-clickhouse-http is not installed")
    http, store = free_port(), free_port()
    config = {
        "collectors": {"pcap": {"files": [str(SHOP)]}},
        "storages": {"clickhouse": {"path": str(tmp_path_factory.mktemp("store"))}},
        "dialects": {"sql": {}, "promql": {}},
        "services": {
            "querier": {"listen": f"127.0.0.1:{http}"},
            "prometheus_api": {},
            "clickhouse_http": {"listen": f"127.0.0.1:{store}"},
            **({"tracing": {}} if importlib.util.find_spec("metaflow_tracing") else {}),
        },
        "pipelines": {"read": {"collectors": ["pcap"], "parsers": ["*"], "storages": ["clickhouse"]}},
    }
    ready, over = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    async def work() -> None:
        async with App(config, autoload=True) as app:
            for _ in range(300):
                try:
                    rows = (await app.query("sql", "SELECT Count(row) AS n FROM l7_flow_log")).table.to_pylist()
                except Exception:
                    rows = []
                if rows and rows[0]["n"] == 136:
                    # the metrics of the minute come last
                    request = "sum(flow_metrics__application_map__request__1m)"
                    metrics = (await app.query("promql", request, time=BEGIN + 780)).table.to_pylist()
                    if metrics and metrics[0]["value"] == 136:
                        break
                await asyncio.sleep(0.1)
            storage: Any = app.components(Kind.STORAGE)["clickhouse"]
            for number, point in enumerate(("c-p", "s-p")):
                for at, batch in enumerate(read_pcap(SHOP).requests().stored()):
                    await storage.write(RecordBatch(LOG, seen_by_processes(batch, point), f"again-{number}-{at}"))
            ready.set()
            await asyncio.to_thread(over.wait)

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # the test shows it
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(120)
    if failures:
        raise failures[0]
    yield Instance(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{store}")
    over.set()
    thread.join(30)


# what Grafana's data source proxy adds to each request
HEADERS = {
    "User-Agent": "Grafana/12.1.0",
    "Accept-Encoding": "gzip",
    "X-Grafana-Org-Id": "1",
    "X-Datasource-Uid": "metaflow-prometheus",
    "X-Dashboard-Uid": "metaflow-services",
    "X-Panel-Id": "1",
}


def sent(url: str, body: bytes | None = None, **headers: str) -> tuple[bytes, str]:
    """The body of an answer that must be a good one, and its type."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {**HEADERS, **headers}), timeout=60) as response:
            data = response.read()
            if response.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            return data, response.headers.get_content_type()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error.code}: {error.read().decode()[:600]}") from None


def fetch(url: str, body: bytes | None = None) -> Any:
    return json.loads(sent(url, body)[0])


def prometheus(instance: Instance, target: dict[str, Any], chosen: str = ".*") -> list[Any]:
    """As Grafana's Prometheus data source asks: macros as its backend writes them, POST forms, whole steps.

    :param chosen: what the dashboard's variables are replaced with.
    """
    text = target["expr"]
    # Go writes a duration of 240 s so
    for name, value in (("$__rate_interval", "4m0s"), ("$__interval", "1m"), ("$__range", "900s")):
        text = text.replace(name, value)
    text = re.sub(r"\$(service|protocol)\b", lambda _: chosen, text)
    assert "$" not in text, text
    fields: dict[str, Any] = {"query": text}
    if target["instant"]:
        path, fields["time"] = "query", f"{END}.25"
    else:
        path = "query_range"
        fields.update(start=BEGIN // 60 * 60, end=END // 60 * 60, step="60")
    answer = fetch(f"{instance.url}/prom/api/v1/{path}", urllib.parse.urlencode(fields).encode())
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def clickhouse(instance: Instance, text: str) -> list[dict[str, Any]]:
    """As Grafana's ClickHouse data source asks: macros filled in."""
    text = re.sub(
        r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({BEGIN}, 'UTC') AND \1 <= toDateTime({END}, 'UTC')", text
    )
    text = text.replace("$__interval_s", "60").replace("${protocol:singlequote}", "'HTTP','MySQL','Redis','DNS'")
    text = text.replace("$text", "")
    assert "$" not in text, text
    rows: list[dict[str, Any]] = fetch(f"{instance.clickhouse}/?default_format=JSON", text.encode())["data"]
    return rows


PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in board.document()["panels"]]


@pytest.mark.parametrize(("uid", "panel"), PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS])
def test_every_question_is_answered(uid: str, panel: dict[str, Any], instance: Instance) -> None:
    for target in panel["targets"]:
        rows = prometheus(instance, target) if "expr" in target else clickhouse(instance, target["rawSql"])
        # what a healthy loopback shop has none of may be empty; everything else has rows
        if uid != "metaflow-network":
            assert rows, f"{panel['title']} is empty"


def test_variables_are_answered(instance: Instance) -> None:
    for board in BOARDS.values():
        for variable in board.variables:
            if variable["type"] != "query":
                continue
            if variable["datasource"]["type"] == "prometheus":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
                query = urllib.parse.urlencode({"match[]": metric, "start": BEGIN, "end": END})
                found = fetch(f"{instance.url}/prom/api/v1/label/{label}/values?{query}")["data"]
            else:
                found = clickhouse(instance, variable["query"])
            assert found, variable["name"]


def test_the_numbers_are_those_of_the_capture(instance: Instance) -> None:
    def panel(uid: str, title: str) -> dict[str, Any]:
        return next(each for each in BOARDS[uid].document()["panels"] if each["title"] == title)

    total = prometheus(instance, panel("metaflow-services", "Requests")["targets"][0])
    assert float(total[0]["value"][1]) == 136
    edges, nodes = (clickhouse(instance, each["rawSql"]) for each in panel("metaflow-map", "Who calls whom")["targets"])
    assert {row["target"]: int(row["mainstat"]) for row in edges}["127.0.0.1:16379"] == 42
    assert {"127.0.0.1", "127.0.0.1:13306"} <= {row["id"] for row in nodes}
    assert {row["source"] for row in edges} | {row["target"] for row in edges} == {row["id"] for row in nodes}
    # packets, clients' processes and servers' processes saw each of them: it counts once, and is listed at each place
    log = clickhouse(instance, panel("metaflow-requests", "Request log")["targets"][0]["rawSql"])
    assert len(log) == 3 * 136
    for title, column in (("Requests", "requests"), ("Endpoints", "requests")):
        rows = clickhouse(instance, panel("metaflow-requests", title)["targets"][0]["rawSql"])
        assert sum(int(row[column]) for row in rows) == 136, title
    assert {row["status"] for row in log} >= {"ok", "server_error", "client_error"}


def test_health_checks_of_the_data_sources(instance: Instance) -> None:
    """Grafana's Prometheus asks for 1+1 at 4 s, then for the build; its ClickHouse for SELECT 1."""
    two = fetch(f"{instance.url}/prom/api/v1/query", b"query=1%2B1&time=4")["data"]
    assert two["result"][1] == "2"
    assert not fetch(f"{instance.url}/prom/api/v1/status/buildinfo")["data"].get("features")
    assert clickhouse(instance, "SELECT 1 AS one") == [{"one": 1}]


def test_chosen_values_are_written_as_grafana_writes_them(instance: Instance) -> None:
    """Several values of a variable become a regular expression, whose dots are escaped twice."""
    panel = next(
        each for each in BOARDS["metaflow-services"].document()["panels"] if each["title"] == "Requests a second"
    )
    every = prometheus(instance, panel["targets"][0])
    hosts = {each["metric"]["auto_service_1"] for each in every}
    assert hosts
    chosen = "(" + "|".join(sorted(re.sub(r"[.]", r"\\\\.", host) for host in hosts)) + "|HTTP|Redis)"
    some = prometheus(instance, panel["targets"][0], chosen)
    assert {each["metric"]["l7_protocol_enum"] for each in some} == {"HTTP", "Redis"}
    assert {each["metric"]["auto_service_1"] for each in some} <= hosts


def test_what_grafanas_explore_asks_prometheus(instance: Instance) -> None:
    """Metric names with their kinds, labels, series, rules: what its query builder and its alerting list."""
    base = f"{instance.url}/prom/api/v1"
    span = {"start": f"{BEGIN}", "end": f"{END}", "limit": "40000"}
    names = fetch(f"{base}/label/__name__/values?{urllib.parse.urlencode(span)}")["data"]
    assert "flow_metrics__application_map__request__1m" in names
    assert fetch(f"{base}/metadata?limit=40000")["status"] == "success"
    match = {**span, "match[]": '{__name__="flow_metrics__application_map__request__1m"}'}
    form = urllib.parse.urlencode(match).encode()
    assert "auto_service_1" in fetch(f"{base}/labels", form)["data"]
    assert fetch(f"{base}/series", form)["data"]
    assert fetch(f"{base}/rules")["data"]["groups"] == []
    exemplars = urllib.parse.urlencode({**span, "query": "flow_metrics__application_map__request__1m"}).encode()
    assert fetch(f"{base}/query_exemplars", exemplars)["status"] == "success"


# what the page Service Graph of the Tempo data source puts to the Prometheus one
SERVICE_GRAPH = (
    *(
        f"sum by (client, server, connection_type) (rate(traces_service_graph_request_{name}{{}}[$__range]))"
        for name in ("total", "failed_total", "server_seconds_sum", "server_seconds_count")
    ),
    "topk(5, sum(rate(traces_spanmetrics_calls_total{}[$__range])) by (span_name))",
    'topk(5, sum(rate(traces_spanmetrics_calls_total{status_code="STATUS_CODE_ERROR"}[$__range])) by (span_name))',
    "histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket{}[$__range])) by (le, span_name))",
)


@pytest.mark.parametrize("text", SERVICE_GRAPH)
def test_the_page_service_graph(text: str, instance: Instance) -> None:
    assert prometheus(instance, {"expr": text, "instant": True}), text


def test_tempo_as_its_page_asks(instance: Instance) -> None:
    """Search, names and values to choose from, and a trace as protobuf, over the same capture."""
    pytest.importorskip("metaflow_tracing", reason="metaflow-tracing is not installed")
    base = f"{instance.url}/tempo/api"
    span = {"start": str(BEGIN), "end": str(END)}
    assert sent(f"{base}/echo")[0] == b"echo"
    scopes = fetch(f"{base}/v2/search/tags?{urllib.parse.urlencode({**span, 'limit': '5000'})}")["scopes"]
    assert {"resource", "span", "intrinsic"} <= {each["name"] for each in scopes}
    for tag in ("resource.service.name", "status", "span.http.method", "name"):
        question = urllib.parse.urlencode({**span, "q": "{}"})
        assert fetch(f"{base}/v2/search/tag/{tag}/values?{question}")["tagValues"], tag
    question = urllib.parse.urlencode({**span, "q": "{ status = error }", "limit": "20", "spss": "3"})
    found = fetch(f"{base}/search?{question}")["traces"]
    assert found
    trace = f"{base}/v2/traces/{found[0]['traceID']}?{urllib.parse.urlencode(span)}"
    body, kind = sent(trace, Accept="application/protobuf")
    assert (kind, body[:1]) == ("application/protobuf", b"\x0a")


def test_files(tmp_path: Path, capsys: Any) -> None:
    assert run_cli(["grafana", "--out", str(tmp_path), "--url", "http://meta:8088/", "--token"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    sources = yaml.safe_load((tmp_path / "datasources/metaflow.yaml").read_text())["datasources"]
    assert [each["type"] for each in sources] == ["prometheus", "grafana-clickhouse-datasource", "tempo"]
    assert sources[0]["url"] == "http://meta:8088/prom"
    assert sources[0]["secureJsonData"] == {"httpHeaderValue1": "Bearer $METAFLOW_TOKEN"}
    assert sources[1]["jsonData"]["host"] == "meta"
    known = {each["uid"] for each in sources}
    for path in sorted((tmp_path / "dashboards/metaflow").glob("*.json")):
        board = json.loads(path.read_text())
        assert board["uid"] == path.stem
        assert {target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]} <= known
        places = {
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in board["panels"]), (
            "panels overlap"
        )
        assert max(x for x, _ in places) < 24
    assert run_cli(["grafana", "--out", str(tmp_path), "--url", "ftp://x"]) == 1
    assert "is no address" in capsys.readouterr().err
