"""What a cluster is told, run on a cluster of one shard: the contract with late tags and names, sums by minute, rollups made again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clickhouse_rows import BY_ENDPOINT, BY_MINUTE, LOG, MEASURES, METRICS, START, by_pod, metrics, pods, requests
from cluster_of_one import cluster_storage, configured
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines import embedded
from metaflow_storage_clickhouse.plugin import metaflow_storages
from metaflow_storage_clickhouse.schema.migrate import summing

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Plan, Scan, TimeRange
from metaflow_core.testing import LateTagsContract, NamesContract, StorageContract, build_context


class Cluster:
    """A running storage over the cluster, with a loop of its own."""

    def __init__(self, path: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.storage = cluster_storage(build_context(Kind.STORAGE, "clickhouse", data_dir=path), ClickHouseConfig())
        self.do(self.storage.start())

    def do(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def write(self, table: str, data: Any, batch_id: str = "") -> None:
        self.do(self.storage.write(RecordBatch(table, data, batch_id)))

    def query(self, plan: Plan) -> Any:
        return self.do(self.storage.execute(plan))

    def sql(self, text: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.storage._engine.query(text).to_pylist()
        return found

    def close(self) -> None:
        self.do(self.storage.stop())
        self.loop.close()


@pytest.fixture(scope="module", autouse=True)
def _config() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "_CONFIG", configured())
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a new store of a cluster; to make one takes seconds."""
    path = tmp_path_factory.mktemp("cluster")
    Cluster(path).close()
    return path


@pytest.fixture
def cluster(tmp_path: Path, made: Path) -> Iterator[Cluster]:
    """A store of the test's own."""
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    opened = Cluster(tmp_path)
    yield opened
    opened.close()


class TestCluster(LateTagsContract, NamesContract, StorageContract):
    """What every storage must do, on a cluster."""

    factory = replace(next(iter(metaflow_storages())), create=cluster_storage)

    @pytest.fixture(autouse=True)
    def _new_store(self, tmp_path: Path, made: Path) -> None:
        shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)


def test_late_tags_are_told_to_all_nodes_and_rollups_follow(cluster: Cluster) -> None:
    cluster.write(METRICS, metrics(1, 2, 1), "a")
    assert cluster.do(cluster.storage.retag(METRICS, 3600, 7200, pods)) == 2
    for table in (METRICS, "flow_metrics.application.1h", "flow_metrics.application.1d"):
        assert by_pod(cluster, table) == {0: 10, 7: 20}, table
    told = cluster.storage._engine.told
    assert any(
        "UPDATE" in each and "dictGet" in each and "allow_nondeterministic_mutations = 1" in each for each in told
    )
    assert any(each.startswith("SYSTEM SYNC REPLICA ON CLUSTER `prod` ") for each in told)
    assert cluster.sql("SELECT count() AS n FROM system.tables WHERE name LIKE 'late_tags%'") == [{"n": 0}]
    assert cluster.sql("SELECT count() AS n FROM system.dictionaries WHERE name LIKE 'late_tags%'") == [{"n": 0}]


def test_what_is_made_again_is_made_from_all_shards(cluster: Cluster) -> None:
    """It used to be made from the rows of one shard after those of all shards had gone."""
    asked: list[str] = []
    command = cluster.storage._engine.command
    cluster.storage._engine.command = lambda text: (asked.append(text), command(text))[1]
    cluster.write(METRICS, metrics(1, 2), "a")
    cluster.storage._writer.roll_up_again(cluster.storage._catalog.table(METRICS), 3600, 7200)
    [removed, made] = [each for each in asked if "application`.`1h" in each or "application.1h" in each]
    assert all(each in removed for each in ("DELETE", "ON CLUSTER", "_local"))
    assert made.startswith("INSERT INTO")
    assert "_local" not in made
    plan = Aggregate(Scan("flow_metrics.application.1h"), (), (Fold("n", "sum", Ref("request")),))
    assert cluster.query(plan).to_pylist() == [{"n": 20}]


def test_sums_by_minute_answer_on_every_shard(cluster: Cluster) -> None:
    data = requests(5000, 3)
    cluster.write(LOG, data, "a")
    scan = Scan(LOG, time=TimeRange(START * 10**9, (START + 900) * 10**9))
    for keys in (BY_ENDPOINT, BY_MINUTE):
        plan = Aggregate(scan, keys, MEASURES)
        text = cluster.storage.explain(plan)
        assert "sums by minute: projection" in text
        from_sums = sorted(map(repr, cluster.query(plan).to_pylist()))
        cluster.storage._engine.command("SYSTEM FLUSH LOGS")
        used = cluster.sql(f"EXPLAIN {text} SETTINGS optimize_use_projections = 1")
        assert any("sums_by" in str(row) for row in used), used
        assert from_sums == sorted(map(repr, without_sums(cluster, plan)))


def without_sums(cluster: Cluster, plan: Plan) -> list[dict[str, Any]]:
    """The answer from the rows."""
    limits = cluster.storage._limits
    cluster.storage._limits = lambda: {**limits(), "optimize_use_projections": 0}
    try:
        rows: list[dict[str, Any]] = cluster.query(plan).to_pylist()
        return rows
    finally:
        cluster.storage._limits = limits


def test_a_cluster_of_before_gets_its_sums(cluster: Cluster) -> None:
    engine, storage = cluster.storage._engine, cluster.storage
    table = storage._catalog.table(LOG)
    assert summing(engine, table, storage._layout) == []
    for each in storage._layout.sums(table):
        engine.command(f"ALTER TABLE `flow_log`.`l7_flow_log_local` DROP PROJECTION {each.name}")
    statements = summing(engine, table, storage._layout)
    assert len(statements) == 4
    for statement in statements:
        assert "`flow_log`.`l7_flow_log_local` ON CLUSTER `prod`" in statement
        engine.command(statement)
    assert summing(engine, table, storage._layout) == []
