"""The contract of storages that keep names (:class:`metaflow_core.api.NamesKeeper`), and labels of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metaflow_core.api import RecordBatch
from metaflow_core.model.expression import Ref, parse_expression
from metaflow_core.query.plan import Aggregate, Filter, Fold, Named, Project, Scan, TimeRange

__all__ = ["NamesContract"]

_LOG, _SAMPLES = "flow_log.l7_flow_log", "prometheus.samples"
_S = 10**9


class NamesContract:
    """Inherit it beside :class:`StorageContract`."""

    async def test_a_name_is_the_one_of_the_rows_time(self, running: Any) -> None:
        """A number that is another's later keeps its first name on the rows of then, in groups, in a range, and in a filter."""
        await _fill(running)
        await _learn(running, "pod", {7: "old", 8: "other"})
        await _learn(running, "pod", {7: "new"}, 20)
        assert await _by_pod(running) == {"old": 1, "new": 2, "other": 1}
        assert await _by_pod(running, TimeRange(0, 20 * _S)) == {"old": 1, "other": 1}
        assert await _by_pod(running, TimeRange(25 * _S, 40 * _S)) == {"new": 1}
        plan = Filter(Scan(_LOG, ("flow_id",)), parse_expression("pod_0 = 'old'"))
        answer = await running.execute(Project(plan, (Named("flow_id", Ref("flow_id")),)))
        assert answer.to_pylist() == [{"flow_id": 1}]

    async def test_a_name_that_came_after_the_row_is_shown(self, running: Any) -> None:
        """The first name of a number is that of all rows before it, too."""
        await _fill(running)
        assert await _by_pod(running) == {"7": 3, "8": 1}
        await _learn(running, "pod", {7: "late"}, 1_000)
        assert await _by_pod(running) == {"late": 3, "8": 1}

    async def test_labels_of_a_series_are_shown_on_every_row(self, running: Any) -> None:
        """Also those of rows that came without a number for their series."""
        odd = (["job", "zone"], ["a", 'é"'])
        await running.write(_samples([(1, 2**63 + 5, *odd), (2, 2**63 + 5, *odd)]))
        await running.write(
            _samples([(3, 9, ["job"], ["b"]), (4, 0, ["job"], ["c"]), (5, 0, ["job"], ["c"]), (6, 0, [], [])])
        )
        columns = ("timestamp", "label_names", "label_values", "series_id")
        rows = (await running.execute(Scan(_SAMPLES, columns))).sort_by("timestamp").to_pylist()
        assert [row["label_values"] for row in rows] == [["a", 'é"'], ["a", 'é"'], ["b"], ["c"], ["c"], []]
        assert [row["label_names"] for row in rows[:3]] == [["job", "zone"], ["job", "zone"], ["job"]]
        assert rows[3]["series_id"] == rows[4]["series_id"] != 0 == rows[5]["series_id"]
        by_job = Aggregate(Scan(_SAMPLES), (Named("job", Ref("label.job")),), (Fold("n", "count"),))
        counted = (await running.execute(by_job)).to_pylist()
        assert {row["job"]: row["n"] for row in counted} == {"a": 2, "b": 1, "c": 2, "": 1}


async def _fill(storage: Any) -> None:
    """Pod 7 is asked at 10, 20 and 30 s; pod 8 at 15 s."""
    import pyarrow as pa

    columns = {
        "time": pa.array([10, 20, 30, 15], pa.int64()),
        "flow_id": pa.array([1, 2, 3, 4], pa.uint64()),
        "pod_id_0": pa.array([7, 7, 7, 8], pa.uint32()),
    }
    await storage.write(RecordBatch(_LOG, pa.RecordBatch.from_pydict(columns)))


async def _learn(storage: Any, dictionary: str, names: Mapping[int, str], since_s: int | None = None) -> None:
    learnt = storage.learn(dictionary, names, since_s)
    if learnt is not None:
        await learnt


async def _by_pod(storage: Any, span: TimeRange | None = None) -> dict[str, int]:
    plan = Aggregate(Scan(_LOG, time=span), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    return {row["pod"]: row["n"] for row in (await storage.execute(plan)).to_pylist()}


def _samples(rows: Sequence[tuple[int, int, list[str], list[str]]]) -> RecordBatch:
    """Second, number of the series, names and values of its labels."""
    import pyarrow as pa

    columns = {
        "timestamp": pa.array([at * 1_000_000 for at, *_ in rows], pa.timestamp("us", "UTC")),
        "metric_name": pa.array(["up"] * len(rows)),
        "series_id": pa.array([number for _, number, *_ in rows], pa.uint64()),
        "label_names": pa.array([names for *_, names, _ in rows], pa.list_(pa.utf8())),
        "label_values": pa.array([values for *_, values in rows], pa.list_(pa.utf8())),
        "value": pa.array([1.0] * len(rows)),
    }
    return RecordBatch(_SAMPLES, pa.RecordBatch.from_pydict(columns))
