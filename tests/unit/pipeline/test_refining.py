"""Refiners around a parser: what they change, what they may not, and what their faults cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.api import Counters, Refinable, json_prefix
from metaflow_core.api.wire import RecordBuilder, RecordType, read_records
from metaflow_core.pipeline.refining import ArtifactRefiner, RefinedRuntime, Refining


class Inner:
    """A parser that finds one request and one response with bodies, and one without."""

    restarts = 0

    def check(self, batch: memoryview) -> bytes:
        return b"checked"

    def parse(self, batch: memoryview) -> bytes:
        out = RecordBuilder({"1024": 1024, "1025": 1025})
        common = {"segment_index": 0, "stream_offset": 0, "time_ns": 5, "1024": "{}", "1025": "Application/JSON"}
        out.add(
            {
                **common,
                "type": RecordType.REQUEST,
                "request_type": "POST",
                "request_resource": "/x",
                "attributes": {"a": "1"},
            }
        )
        out.add({**common, "type": RecordType.RESPONSE, "code": 200})
        out.add(
            {"segment_index": 0, "type": RecordType.REQUEST, "stream_offset": 0, "time_ns": 5, "endpoint": "/plain"}
        )
        return out.finish()

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None:
        pass


class Names:
    def __init__(self) -> None:
        self.seen: list[Refinable] = []

    def refine(self, messages: Sequence[Refinable]) -> list[Any]:
        self.seen = list(messages)
        return [
            {"endpoint": "named", "attributes": {"b": "2"}, "time_ns": 9, "type": 3} if m.is_request else None
            for m in messages
        ]


class Broken:
    calls = 0

    def refine(self, messages: Sequence[Refinable]) -> list[Any]:
        self.calls += 1
        raise ValueError("no")


def parse(runtime: RefinedRuntime) -> list[dict[str, Any]]:
    return [dict(each) for each in read_records(bytes(runtime.parse(memoryview(b""))))]


def test_what_a_refiner_sees_and_changes() -> None:
    names, counters = Names(), Counters("refiner.names")
    runtime = RefinedRuntime(Inner(), [Refining("names", names, counters)])
    request, response, plain = parse(runtime)
    assert names.seen[0] == Refinable(True, "POST", "/x", None, "application/json", "{}", attributes={"a": "1"})
    assert (names.seen[1].is_request, names.seen[1].code) == (False, 200)
    assert request["endpoint"] == "named"
    assert request["attributes"] == {"a": "1", "b": "2"}
    assert (request["time_ns"], request["type"]) == (5, RecordType.REQUEST), "where and what it is stays the parser's"
    assert "endpoint" not in response
    assert plain["endpoint"] == "/plain"
    assert "1024" not in request, "bodies go no further"
    assert runtime.check(memoryview(b"")) == b"checked"
    assert {(s.stage, s.unit): s.value for s in counters.samples()} == {("refined", "messages"): 1}


def test_a_broken_refiner_costs_its_names_only_and_is_left_out_in_the_end() -> None:
    broken, names, counters = Broken(), Names(), Counters("refiner.broken")
    runtime = RefinedRuntime(
        Inner(), [Refining("broken", broken, counters), Refining("names", names, Counters("refiner.names"))]
    )
    for _ in range(12):
        assert parse(runtime)[0]["endpoint"] == "named"
    assert broken.calls == 8
    assert {(s.stage, s.reason): s.value for s in counters.samples()} == {
        ("dropped", "fault"): 8,
        ("quarantined", "faults"): 1,
    }


def test_who_reads_addresses_too_sees_messages_without_a_body() -> None:
    names = Names()
    request, _, plain = parse(RefinedRuntime(Inner(), [Refining("names", names, Counters("refiner.names"), True)]))
    assert [message.body for message in names.seen] == ["{}", "{}", ""]
    assert (request["endpoint"], plain["endpoint"]) == ("named", "named")


def test_an_artifact_that_is_left_out_is_freed() -> None:
    class Module(Inner):
        is_closed = False

        def parse(self, batch: memoryview) -> bytes:
            raise ValueError("trapped")

        def close(self) -> None:
            assert not self.is_closed
            self.is_closed = True

    module = Module()
    runtime = RefinedRuntime(Inner(), [Refining("broken", ArtifactRefiner(module), Counters("refiner.broken"))])
    for _ in range(8):
        parse(runtime)
    assert module.is_closed
    assert module.restarts == 7
    runtime.close()


def test_an_artifact_sees_text_and_answers_by_record() -> None:
    class Module(Inner):
        seen: list[str] = []

        def parse(self, batch: memoryview) -> bytes:
            self.seen.append(bytes(batch).decode("utf-8", "replace"))
            out = RecordBuilder()
            out.add({"segment_index": 1, "type": RecordType.SESSION, "endpoint": "second"})
            return out.finish()

    module = Module()
    messages = [
        Refinable(True, "POST", "/rpc", None, "application/json", '{"a":1}'),
        Refinable(False, code=404, body="x"),
    ]
    found = ArtifactRefiner(module).refine(messages)
    assert found[0] is None
    assert found[1] is not None
    assert found[1]["endpoint"] == "second"
    assert 'POST /rpc\ncontent-type: application/json\n\n{"a":1}' in module.seen[0]
    assert "404\ncontent-type: \n\nx" in module.seen[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=12,
    ),
    st.data(),
)
def test_a_prefix_of_json_is_read_as_far_as_it_goes(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    whole = json_prefix(text)
    assert whole == (value if isinstance(value, (dict, list)) else None)
    part = json_prefix(text[: data.draw(st.integers(0, len(text)))])
    assert part is None or isinstance(part, type(value))
