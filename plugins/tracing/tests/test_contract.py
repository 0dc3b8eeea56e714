"""The contracts of the service and of every rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from metaflow_tracing.plugin import metaflow_link_rules, metaflow_services
from metaflow_tracing.rules.load import load_rules

from metaflow_core.api import Kind, LinkEnd, LinkRuleFactory, LinkSpan
from metaflow_core.errors import ComponentError
from metaflow_core.testing import FakeSpan, LinkRuleContract, ServiceContract

[SERVICE] = metaflow_services()
RULES = {factory.type: factory for factory in metaflow_link_rules()}
A, B, C = LinkEnd("10.0.0.1", 40000), LinkEnd("10.0.0.2", 80), LinkEnd("10.0.0.3", 80)
FROM_B = LinkEnd("10.0.0.2", 41000)


def span(
    point: str,
    start: int,
    end: int,
    client: LinkEnd = A,
    server: LinkEnd = B,
    agent: int = 1,
    is_span: bool = False,
    **columns: Any,
) -> LinkSpan:
    columns = {"type": 2, "protocol": 6, **columns}
    return FakeSpan(
        point=point,
        agent_id=agent,
        start_us=start,
        end_us=end,
        client=client,
        server=server,
        is_span=is_span,
        columns=columns,
    )


class TestService(ServiceContract):
    factory = SERVICE


class TestTcp(LinkRuleContract):
    factory = RULES["tcp_seq"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, req_tcp_seq=5, resp_tcp_seq=7, endpoint="/a")
        half = span("s", 2_000_011, 2_000_089, agent=2, req_tcp_seq=5, type=0)
        # ten seconds in the socket of a busy process
        late = span("s-p", 10_000_011, 10_000_089, req_tcp_seq=5, resp_tcp_seq=7)
        return [
            (one, span("s", 2_000_011, 2_000_089, agent=2, req_tcp_seq=5, resp_tcp_seq=7)),
            (one, half),
            (one, late),
        ]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, req_tcp_seq=5, resp_tcp_seq=7, endpoint="/a", trace_id="t1")
        return [
            (one, span("s", 11, 89, req_tcp_seq=5, resp_tcp_seq=8)),
            (one, span("s", 11, 89, req_tcp_seq=5, resp_tcp_seq=7, endpoint="/b")),
            (one, span("s", 11, 89, req_tcp_seq=5, resp_tcp_seq=7, trace_id="t2")),
            (one, span("s", 11, 89, server=C, req_tcp_seq=5, resp_tcp_seq=7)),
            # the same numbers on one clock, ten seconds later: the port was used again
            (one, span("s", 10_000_011, 10_000_089, req_tcp_seq=5, resp_tcp_seq=7)),
            (one, span("s", 11, 89, protocol=17, req_tcp_seq=5, resp_tcp_seq=7)),
        ]


class TestTranslated(LinkRuleContract):
    factory = RULES["tcp_seq_nat"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, req_tcp_seq=5, resp_tcp_seq=7, l7_protocol=20)
        return [(one, span("s", 11, 89, server=C, agent=2, req_tcp_seq=5, resp_tcp_seq=7, l7_protocol=20))]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, req_tcp_seq=5, resp_tcp_seq=7, l7_protocol=20)
        return [
            (one, span("s", 11, 89, server=C, req_tcp_seq=5, l7_protocol=20)),
            (one, span("s", 11, 89, server=C, req_tcp_seq=5, resp_tcp_seq=7, l7_protocol=40)),
        ]


class TestDatagram(LinkRuleContract):
    factory = RULES["datagram"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, protocol=17, request_id=4, request_resource="a.example")
        # a socket that is not connected has no address of its own
        bare = LinkEnd("", A.port)
        return [
            (one, span("s", 11, 89, protocol=17, agent=2, request_id=4, request_resource="a.example")),
            (span("c-p", 5, 95, bare, protocol=17, request_id=4, request_resource="a.example"), one),
            (one, span("s-p", 500_000, 500_010, server=LinkEnd("", B.port), protocol=17, request_id=4)),
        ]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        one = span("c", 10, 90, protocol=17, request_id=4, request_resource="a.example")
        bare = LinkEnd("", A.port)
        return [
            # the same question with the same id, asked again after half a second
            (
                span("c-p", 5, 5, bare, protocol=17, request_id=4, type=0),
                span("c", 500_010, 500_090, protocol=17, request_id=4),
            ),
            (span("c-p", 500_005, 500_095, protocol=17, request_id=4), one),
            (span("s-p", 5, 9, protocol=17, request_id=4), span("s", 500_010, 500_090, protocol=17, request_id=4)),
            # on another host the port alone says nothing
            (
                span("c-p", 5, 95, bare, protocol=17, request_id=4),
                span("s", 11, 89, protocol=17, agent=2, request_id=4),
            ),
            (span("c-p", 5, 95, LinkEnd("10.9.9.9", A.port), protocol=17, request_id=4), one),
            (one, span("s", 11, 89, protocol=17, request_id=4, request_resource="b.example")),
            (one, span("s", 60_000_000, 60_000_010, protocol=17, agent=2, request_id=4, request_resource="a.example")),
        ]


class TestThread(LinkRuleContract):
    factory = RULES["thread"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        served = span("s-p", 10, 90, syscall_trace_id_request=5, syscall_trace_id_response=9, process_id_1=7)
        return [
            (
                served,
                span("c-p", 20, 30, FROM_B, C, syscall_trace_id_request=5, syscall_trace_id_response=6, process_id_0=7),
            ),
            (
                served,
                span("c-p", 70, 80, FROM_B, C, syscall_trace_id_request=8, syscall_trace_id_response=9, process_id_0=7),
            ),
            *((self.by(40, l7_protocol=20), self.sent_by(other)) for other in (40, 41)),
            (self.by(40, l7_protocol=21), self.sent_by(40)),
        ]

    @staticmethod
    def by(routine: int, **columns: Any) -> LinkSpan:
        """What a goroutine served."""
        return span("s-p", 10, 90, syscall_trace_id_request=5, syscall_coroutine_1=routine, process_id_1=7, **columns)

    @staticmethod
    def sent_by(routine: int) -> LinkSpan:
        """What one sent."""
        columns = {"syscall_trace_id_request": 5, "syscall_coroutine_0": routine, "process_id_0": 7}
        return span("c-p", 20, 30, FROM_B, C, **columns)

    def test_a_goroutine_that_another_started_is_likely_and_no_more(self) -> None:
        rule = load_rules()["thread"]
        same = rule.judge(self.by(40), self.sent_by(40), 0)
        started = rule.judge(self.by(40), self.sent_by(41), 0)
        assert same.confidence > 0.95
        assert same.matched[-1].first == "syscall_coroutine_1"
        assert 0.5 < started.confidence < 0.9
        many = rule.judge(self.by(40, l7_protocol=21), self.sent_by(41), 0)
        assert not many.accepts
        assert "many streams" in many.reason

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        served = span("s-p", 10, 90, syscall_trace_id_request=5, syscall_trace_id_response=9, process_id_1=7)
        call: dict[str, Any] = {"client": FROM_B, "server": C, "syscall_trace_id_request": 5}
        return [
            (served, span("c-p", 20, 30, process_id_0=8, **call)),
            (served, span("c-p", 95, 99, process_id_0=7, **call)),
            (served, span("c-p", 20, 30, agent=2, process_id_0=7, **call)),
            (span("s-p", 10, 90, syscall_trace_id_request=0), span("c-p", 20, 30, syscall_trace_id_request=0)),
            (served, span("s-p", 20, 30, process_id_1=7, **call)),
            (self.by(40, l7_protocol=21), self.sent_by(41)),
        ]


class TestChain(LinkRuleContract):
    factory = RULES["thread_chain"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        return [
            (
                span("c-p", 10, 20, FROM_B, C, syscall_trace_id_response=4),
                span("c-p", 30, 40, FROM_B, C, syscall_trace_id_request=4),
            )
        ]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        first, second = self.linked()[0]
        return [
            (span("c-p", 35, 50, FROM_B, C, syscall_trace_id_response=4), second),
            (span("c-p", 10, 20, syscall_trace_id_response=5), second),
            (second, first),
        ]


class TestSpanId(LinkRuleContract):
    factory = RULES["span_id"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        message = span("c", 11, 89, trace_id="t", span_id="a")
        return [
            (span("c-app", 10, 90, is_span=True, trace_id="t", span_id="a"), message),
            (message, span("s-app", 12, 88, is_span=True, trace_id="t", span_id="b", parent_span_id="a")),
            (message, span("c", 20, 80, FROM_B, C, trace_id="t", span_id="c", parent_span_id="a")),
            # a proxy that passes the header on
            (message, span("c", 20, 80, FROM_B, C, trace_id="t", span_id="a")),
            (message, span("c", 20, 80, FROM_B, C, trace_id="other", _trace_id_2="t", span_id="a")),
        ]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        message = span("c", 11, 89, trace_id="t", span_id="a")
        return [
            (message, span("c", 20, 80, FROM_B, C, trace_id="u", span_id="a")),
            (message, span("c", 20, 800, FROM_B, C, trace_id="t", span_id="a")),
            (message, span("c", 20, 80, LinkEnd("10.0.0.9", 1), C, trace_id="t", span_id="a")),
        ]


class TestRequestId(LinkRuleContract):
    factory = RULES["x_request_id"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        return [
            (span("c", 10, 90, x_request_id_1="r"), span("c", 20, 80, FROM_B, C, x_request_id_0="r")),
            (span("c", 10, 90, x_request_id_0="r"), span("c", 20, 80, FROM_B, C, x_request_id_0="r")),
        ]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        asked = span("c", 10, 90, x_request_id_0="r")
        return [
            (asked, span("c", 20, 95_000, FROM_B, C, x_request_id_0="r")),
            (asked, span("c", 20, 80, LinkEnd("10.0.0.9", 1), C, x_request_id_0="r")),
            (asked, span("c", 20, 80, FROM_B, C, x_request_id_0="s")),
            (asked, span("c", 20, 80, x_request_id_0="r")),
        ]


class TestInside(LinkRuleContract):
    factory = RULES["inside"]

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        return [(span("c", 10, 90, trace_id="t"), span("c", 20, 80, FROM_B, C, trace_id="t"))]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        asked = span("c", 10, 90, trace_id="t")
        return [
            (asked, span("c", 20, 80, FROM_B, C)),
            (asked, span("c", 20, 80, FROM_B, C, trace_id="u")),
            (asked, span("c", 20, 8_000, FROM_B, C, trace_id="t")),
            (asked, span("c", 20, 80, trace_id="t")),
        ]


def test_options_reach_rules() -> None:
    assert "inside" not in load_rules(without=["inside"])
    with pytest.raises(ComponentError, match="did you mean thread"):
        load_rules(options={"treads": {}})
    with pytest.raises(ComponentError, match="max_offset_s"):
        load_rules(options={"tcp_seq": {"max_offset_s": -1}})


def test_foreign_rules_come_after_our_own(tmp_path: Path) -> None:
    del tmp_path
    mine = LinkRuleFactory(type="aaa", relation=RULES["inside"].relation, create=RULES["inside"].create, summary="s")
    assert list(load_rules({"aaa": mine}))[-1] == "aaa"
    assert mine.kind is Kind.LINK_RULE
