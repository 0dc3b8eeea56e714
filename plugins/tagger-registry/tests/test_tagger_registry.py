"""The tagger by its contract, against registries that misbehave over real HTTP, and by the rows that it tags."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_tagger_registry.config import Consul, EtcdLayout, RegistryConfig
from metaflow_tagger_registry.instances import Refused, instance
from metaflow_tagger_registry.plugin import metaflow_taggers
from metaflow_tagger_registry.sources.consul import ConsulSource
from metaflow_tagger_registry.sources.dubbo import provider
from metaflow_tagger_registry.sources.etcd import _parse as parse_etcd
from metaflow_tagger_registry.sources.eureka import EurekaSource
from metaflow_tagger_registry.tagger import RegistryTagger
from metaflow_tagger_registry.tags import merged

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.testing import build_context
from metaflow_core.testing.contracts import TaggerContract

_SPEC = importlib.util.spec_from_file_location("registry_doubles", Path(__file__).with_name("doubles.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
doubles = importlib.util.module_from_spec(_SPEC)
sys.modules["registry_doubles"] = doubles
_SPEC.loader.exec_module(doubles)

CAPTURES = Path(__file__).parent / "captures"


@pytest.fixture
def consul() -> Iterator[Any]:
    double = doubles.ConsulDouble()
    yield double
    double.stop()


@pytest.fixture
def http() -> Iterator[Any]:
    double = doubles.HttpDouble()
    yield double
    double.stop()


class TestContract(TaggerContract):
    factory = next(iter(metaflow_taggers()))

    @pytest.fixture(autouse=True)
    def _registry(self, consul: Any) -> None:
        consul.register("web", "10.0.0.5", 80)
        self.options = {"consul": {"urls": [consul.url]}}


@asynccontextmanager
async def started(tmp_path: Path, reports: list[tuple[str, str]] | None = None, **options: Any) -> AsyncIterator[Any]:
    context = build_context(Kind.TAGGER, "registry", clock=SystemClock(), data_dir=tmp_path / "data", reports=reports)
    made = RegistryTagger(
        context, RegistryConfig.model_validate({"settle_s": 0.05, "interval_s": 1, "timeout_s": 5, **options})
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def row(made: Any, client: str, server: str, port: int = 0, at: datetime | None = None) -> dict[str, Any]:
    """One row's tags, numbers with a dictionary as names."""
    moment = at or datetime.now(UTC)
    four = ip_address(client).version == 4
    data = pa.record_batch(
        {
            "end_time": pa.array([moment], pa.timestamp("us", "UTC")),
            "ip4_0": pa.array([int(ip_address(client)) if four else 0], pa.uint32()),
            "ip4_1": pa.array([int(ip_address(server)) if four else 0], pa.uint32()),
            "ip6_0": pa.array([bytes(16) if four else ip_address(client).packed], pa.binary(16)),
            "ip6_1": pa.array([bytes(16) if four else ip_address(server).packed], pa.binary(16)),
            "is_ipv4": [four],
            "server_port": pa.array([port], pa.uint16()),
            "protocol": pa.array([6], pa.uint8()),
        }
    )
    tagged = made.tag(RecordBatch("flow_log.l7_flow_log", data)).data.to_pylist()[0]
    names = made.dictionaries()
    out: dict[str, Any] = {}
    for end in ("_0", "_1"):
        for tag, kind in (("service", "service"), ("auto_service", "device"), ("auto_instance", "device")):
            out[tag + end] = names.get(kind, {}).get(tagged.get(f"{tag}_id{end}", 0), "")
        text = names.get("registry_tag", {}).get(tagged.get(f"service_id{end}", 0), "{}")
        out["registry" + end] = json.loads(text)
        out["type" + end] = tagged.get(f"auto_service_type{end}")
    return out


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


async def test_both_ends_of_a_row(consul: Any, tmp_path: Path) -> None:
    consul.register("orders", "10.0.0.5", 8080, Meta={"version": "1"}, Tags=["prod", "eu"])
    consul.register("orders", "10.0.0.6", 8080, Meta={"version": "2"})
    consul.register("web", "10.0.0.7", 443)
    consul.register("side", "fd00::7", 9000)
    async with started(tmp_path, consul={"urls": [consul.url]}) as made:
        found = row(made, "10.0.0.7", "10.0.0.5", 8080)
        assert (found["service_1"], found["auto_service_1"], found["type_1"]) == ("orders", "orders", 102)
        assert found["auto_service_0"] == "web", "an address that one service only has is its address as a client too"
        assert found["registry_1"] == {
            "service": "orders",
            "type": "consul",
            "namespace": "dc1",
            "meta.version": "1,2",
            "meta.tags": "eu,prod",
        }
        assert row(made, "10.0.0.7", "10.0.0.5", 22)["auto_service_1"] == "", "another port is another's"
        assert row(made, "fd00::9", "fd00::7", 9000)["auto_service_1"] == "side"


async def test_machines_are_instances_and_their_addresses_no_service_s(consul: Any, tmp_path: Path) -> None:
    consul.register("orders", "", 8080, node="rack-7", node_address="192.168.7.1")
    async with started(tmp_path, consul={"urls": [consul.url]}) as made:
        found = row(made, "192.168.7.1", "192.168.7.1", 8080)
        assert (found["auto_service_1"], found["auto_instance_1"]) == ("orders", "rack-7")
        assert (found["service_0"], found["auto_instance_0"]) == ("", "rack-7")


async def test_a_port_that_another_service_gets_keeps_its_history(consul: Any, tmp_path: Path) -> None:
    consul.register("old", "10.0.0.5", 80, Meta={"n": "1"})
    async with started(tmp_path, consul={"urls": [consul.url]}) as made:
        before = datetime.now(UTC)
        assert row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "old"
        consul.deregister("old")
        await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "", "the end")
        consul.register("new", "10.0.0.5", 80)
        await until(
            lambda: row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "new", "the new one, by the blocking query"
        )
        then = row(made, "10.9.9.9", "10.0.0.5", 80, at=before)
        assert (then["service_1"], then["registry_1"]["meta.n"]) == ("old", "1")


async def test_away_for_long_and_back(consul: Any, tmp_path: Path) -> None:
    consul.register("web", "10.0.0.5", 80)
    reports: list[tuple[str, str]] = []
    async with started(tmp_path, reports, consul={"urls": [consul.url]}, stale_s=0, timeout_s=0.5) as made:
        before = datetime.now(UTC)
        consul.stop()
        await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 80)["registry_1"].get("stale") == "yes", "the mark")
        state, sentence = reports[-1]
        assert (state, row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"]) == ("degraded", "web")
        assert consul.url in sentence
        assert "the last known tags stay" in sentence
        consul.start()
        consul.register("late", "10.0.0.6", 80)
        await until(lambda: row(made, "10.9.9.9", "10.0.0.6", 80)["service_1"] == "late", "the return")
        await until(lambda: "stale" not in row(made, "10.9.9.9", "10.0.0.5", 80)["registry_1"], "the end of the mark")
        changed = [n for n in made.names(0)[1] if n.dictionary == "registry_tag" and n.valid_from_s is not None]
        assert len(changed) == 2
        assert changed[0].valid_from_s >= int(before.timestamp()), "rows from before are not marked"
        await until(lambda: reports[-1][0] == "running", "the good news")


async def test_missing_rights_are_named(consul: Any, tmp_path: Path) -> None:
    consul.deny = True
    reports: list[tuple[str, str]] = []
    async with started(tmp_path, reports, consul={"urls": [consul.url], "token": "no"}) as made:
        assert 'service_prefix "" {policy = "read"}' in reports[-1][1]
        assert consul.calls[0][2]["X-Consul-Token"] == "no"
        consul.deny = False
        consul.register("web", "10.0.0.5", 80)
        await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "web", "the right")


@pytest.mark.parametrize(
    "nonsense",
    [b"<html>", b"[]", b"null", b"{", b"[" * 100_000, b'"' + b"x" * 2000 + b'"', {"web": 1, "": {}}],
    ids=["html", "list", "null", "cut", "deep", "long", "odd"],
)
async def test_nonsense_is_a_sentence_and_what_was_known_stays(http: Any, tmp_path: Path, nonsense: Any) -> None:
    item = {"Node": {"Node": "n", "Address": "10.0.0.5"}, "Service": {"Service": "web", "Address": "", "Port": 80}}
    http.answers["/v1/catalog/services"] = {"web": []}
    http.answers["/v1/health/service/web"] = [item]
    reports: list[tuple[str, str]] = []
    async with started(tmp_path, reports, consul={"urls": [http.url]}, max_answer_bytes=1024) as made:
        http.answers["/v1/catalog/services"] = nonsense
        await until(lambda: bool(reports), "a report")
        assert reports[-1][0] == "degraded"
        assert len(reports[-1][1]) < 500
        assert row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "web"


async def test_instances_that_cannot_be_used_are_counted_beside_good_ones(http: Any, tmp_path: Path) -> None:
    good = {"Node": {"Node": "n", "Address": "10.0.0.5"}, "Service": {"Service": "web", "Port": 80}}
    bad = [
        *(None, 3, {}, {"Node": {}, "Service": None}),
        {"Node": {"Address": "no.address"}, "Service": {"Service": "a", "Port": 1}},
        {"Node": {"Address": "10.0.0.1"}, "Service": {"Service": "a", "Port": 70000}},
        {"Node": {"Address": "10.0.0.1"}, "Service": {"Service": "", "Port": 1}},
        {"Node": {"Address": "0.0.0.0"}, "Service": {"Service": "a", "Port": 1}},
    ]
    http.answers["/v1/catalog/services"] = {"web": []}
    http.answers["/v1/health/service/web"] = [*bad, good]
    reports: list[tuple[str, str]] = []
    async with started(tmp_path, reports, consul={"urls": [http.url]}) as made:
        assert row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "web"
        await until(lambda: bool(reports), "a report")
        assert "8 instances could not be used" in reports[-1][1]
        counted = {s.reason: s.value for s in made.context.counters.samples() if s.stage == "dropped"}
        assert counted.keys() == {"malformed_instance", "not_an_address", "bad_port", "no_name"}


async def test_too_many_are_left_out_and_said(consul: Any, tmp_path: Path) -> None:
    for number in range(30):
        consul.register("web", f"10.0.0.{number}", 80)
    reports: list[tuple[str, str]] = []
    async with started(tmp_path, reports, consul={"urls": [consul.url]}, max_instances=10) as made:
        await until(lambda: bool(reports), "a report")
        assert "20 instances more than max_instances (10)" in reports[-1][1]
        assert made._world.count == 10


def test_hostile_names_and_huge_metadata_are_bounded() -> None:
    made = instance(
        service="a\x1b[2J\n" + "x" * 10_000,
        address="[::ffff:10.0.0.5]",
        port="80",
        metadata={
            "k\x00": "v" * 100_000,
            "<script>": "'\"\\",
            "list": [1],
            "none": None,
            **{str(n): n for n in range(999)},
        },
    )
    assert made.service.startswith("a?[2J?xxx")
    assert len(made.service) == 256
    assert made.address == "10.0.0.5"
    assert len(made.metadata) == 256
    assert made.metadata["<script>"] == "'\"\\"
    tags = merged("consul", [made], RegistryConfig(consul=Consul(), max_tag_bytes=900), stale=False)
    assert tags["service"] == made.service
    assert sum(len(key) + len(text) for key, text in tags.items()) <= 900
    several = [instance(service="a", address="10.0.0.1", port=n, metadata={"pid": str(n)}) for n in range(1, 20)]
    assert "meta.pid" not in merged("consul", several, RegistryConfig(consul=Consul()), stale=False)


async def test_loopback_of_a_registry_elsewhere_is_another_machine_s(tmp_path: Path) -> None:
    context = build_context(Kind.TAGGER, "registry", data_dir=tmp_path)
    for url, taken in (
        ("http://127.0.0.1:1", True),
        ("https://consul.example:8501", False),
        ("http://[::1]:8500", True),
    ):
        made = RegistryTagger(context, RegistryConfig(consul=Consul(urls=[url])))
        assert made._takes_loopback("consul") is taken


async def test_nacos_logs_in_pages_and_reads_dubbo(http: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_tagger_registry.sources.nacos._PAGE", 20)
    tokens = iter(["first", "second"])
    valid: list[str] = []

    def log_in(query: dict[str, str], headers: dict[str, str]) -> Any:
        assert (query["username"], query["password"]) == ("u", "p&=")
        valid[:] = [next(tokens)]
        return 200, {"accessToken": valid[0], "tokenTtl": 18000}, {}

    names = [f"s{number:04}" for number in range(30)] + ["providers:com.shop.Orders:1.0.0:"]

    def services(query: dict[str, str], headers: dict[str, str]) -> Any:
        if [query.get("accessToken")] != valid:
            return 403, {"message": "token expired!"}, {}
        page, size = int(query["pageNo"]), int(query["pageSize"])
        return 200, {"code": 0, "data": {"count": 31, "services": names[(page - 1) * size : page * size]}}, {}

    def instances(query: dict[str, str], headers: dict[str, str]) -> Any:
        name = query["serviceName"]
        dubbo = {"application": "orders-app", "methods": "create,cancel", "side": "provider"}
        host = {"ip": "10.0.0.5", "port": 20880, "healthy": True, "metadata": dubbo, "clusterName": "DEFAULT"}
        if not name.startswith("providers"):
            number = int(name[1:])
            host = {"ip": f"10.1.{number // 200}.{number % 200}", "port": 80, "healthy": False, "metadata": {}}
        return 200, {"code": 0, "data": {"hosts": [host]}}, {}

    http.answers |= {
        "/nacos/v1/auth/login": log_in,
        "/nacos/v2/ns/service/list": services,
        "/nacos/v2/ns/instance/list": instances,
    }
    options = {"urls": [f"{http.url}/nacos"], "username": "u", "password": "p&="}
    async with started(tmp_path, nacos=options, health=True) as made:
        await until(lambda: row(made, "10.9.9.9", "10.0.0.5", 20880)["auto_service_1"] == "orders-app", "all pages")
        found = row(made, "10.9.9.9", "10.0.0.5", 20880)
        assert found["registry_1"] == {
            "service": "orders-app",
            "type": "nacos",
            "namespace": "public/DEFAULT_GROUP",
            "health": "healthy",
            "interfaces": "com.shop.Orders",
            "methods": "Orders.cancel,Orders.create",
            "meta.cluster": "DEFAULT",
            "meta.side": "provider",
        }
        last = row(made, "10.9.9.9", "10.1.0.29", 80)
        assert (last["service_1"], last["registry_1"]["health"]) == ("s0029", "unhealthy")
        valid[:] = ["changed"]
        await until(lambda: valid == ["second"], "a new log-in")


async def test_nacos_v1(http: Any, tmp_path: Path) -> None:
    http.answers |= {
        "/nacos/v1/ns/service/list": {"count": 1, "doms": ["pay"]},
        "/nacos/v1/ns/instance/list": {"name": "DEFAULT_GROUP@@pay", "hosts": [{"ip": "10.0.0.5", "port": 80}]},
    }
    async with started(tmp_path, nacos={"urls": [f"{http.url}/nacos"], "api": "v1"}) as made:
        assert row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "pay"


async def test_a_real_answer_of_eureka(http: Any, tmp_path: Path) -> None:
    http.answers["/eureka/apps"] = (CAPTURES / "eureka-apps.json").read_bytes()
    async with started(
        tmp_path, eureka={"urls": [f"{http.url}/eureka"], "username": "u", "password": "p"}, health=True
    ) as made:
        found = row(made, "10.0.0.6", "10.0.0.5", 8080)
        assert (found["service_1"], found["auto_instance_1"]) == ("ORDERS", "pc.shop")
        assert found["registry_1"]["meta.management.port"] == "8080"
        assert found["service_0"] == "CART"
        assert found["registry_0"]["health"] == "unhealthy", "OUT_OF_SERVICE"
        assert row(made, "10.9.9.9", "10.0.0.6", 8443)["service_1"] == "CART"
        assert row(made, "10.9.9.9", "10.0.0.6", 80)["service_1"] == "", "a port that is not enabled"
        assert http.calls[0][2]["authorization"] == "Basic dTpw"


async def test_two_registries_and_two_claims(consul: Any, http: Any, tmp_path: Path) -> None:
    consul.register("by-consul", "10.0.0.5", 80)
    consul.register("sick", "10.0.0.8", 80)
    consul.services["sick"][0]["Checks"] = [{"Status": "critical"}]
    consul.register("well", "10.0.0.8", 80)
    http.answers |= {
        "/v1/ns/service/list": {"count": 2, "doms": ["a", "b"]},
        "/v1/ns/instance/list": lambda query, headers: (
            200,
            {"hosts": [{"ip": "10.0.0.5", "port": 80 if query["serviceName"] == "a" else 81}]},
            {},
        ),
    }
    async with started(tmp_path, consul={"urls": [consul.url]}, nacos={"urls": [http.url], "api": "v1"}) as made:
        assert row(made, "10.9.9.9", "10.0.0.5", 80)["service_1"] == "by-consul"
        assert row(made, "10.9.9.9", "10.0.0.5", 81)["service_1"] == "b"
        assert row(made, "10.0.0.5", "10.9.9.9")["service_0"] == "", "three services have it: no client of one"
        assert row(made, "10.9.9.9", "10.0.0.8", 80)["service_1"] == "well"


def test_no_registry_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="give consul, nacos, etcd, zookeeper or eureka"):
        RegistryConfig()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Node",
                    "Service",
                    "Address",
                    "Port",
                    "Meta",
                    "Checks",
                    "app",
                    "ipAddr",
                    "port",
                    "$",
                    "@enabled",
                    "nodes",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=40)
@given(_JSON)
def test_any_json_is_taken_or_refused(item: Any) -> None:
    class Kept:
        config = RegistryConfig(consul=Consul())

        def instance(self, **fields: Any) -> list[Any]:
            try:
                return [instance(**fields)]
            except Refused:
                return []

    reading: Any = Kept()
    for source in (ConsulSource, EurekaSource):
        try:
            source(reading)._instance(item)
        except (TypeError, KeyError, AttributeError, ValueError):
            continue
    for form in ("go-micro", "kratos", "grpc", "plain"):
        layout = EtcdLayout(prefix="/p/", format=form)  # type: ignore[arg-type]
        try:
            for fields in parse_etcd(layout, "/p/s/1", json.dumps(item).encode()):
                reading.instance(**fields)
        except (TypeError, KeyError, AttributeError, ValueError):
            continue


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_any_text_is_a_provider_or_refused(text: str) -> None:
    try:
        provider(text)
    except ValueError:
        return
