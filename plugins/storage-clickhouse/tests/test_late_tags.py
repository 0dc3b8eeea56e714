"""Tags that came after their rows: what is made from these, and what a killed process leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clickhouse_rows import METRICS, by_pod, metrics, pods


def test_what_is_rolled_up_is_made_again(store: Any) -> None:
    store.write(METRICS, metrics(1, 2, 1), "a")
    for table in (METRICS, "flow_metrics.application.1h"):
        assert by_pod(store, table) == {0: 30}
    assert store.do(store.storage.retag(METRICS, 3600, 7200, pods)) == 2
    for table in (METRICS, "flow_metrics.application.1h", "flow_metrics.application.1d"):
        assert by_pod(store, table) == {0: 10, 7: 20}, table
    # The batch is known still, and stored once.
    store.storage._writer._done.clear()
    store.write(METRICS, metrics(1, 2, 1), "a")
    assert by_pod(store, METRICS) == {0: 10, 7: 20}


def test_what_a_killed_process_left_is_put_away(stores: Callable[..., Any]) -> None:
    first = stores()
    first.storage._engine.command(
        "CREATE TABLE metaflow_system.late_tags (`#number` FixedString(16), `#said` UInt8) ENGINE = Join(ANY, LEFT, `#number`)"
    )
    first.close()
    second = stores()
    assert second.sql("SELECT count() AS n FROM system.tables WHERE name = 'late_tags'") == [{"n": 0}]
    second.write(METRICS, metrics(1), "a")
    assert second.do(second.storage.retag(METRICS, 3600, 7200, pods)) == 1
    assert by_pod(second, METRICS) == {7: 10}
