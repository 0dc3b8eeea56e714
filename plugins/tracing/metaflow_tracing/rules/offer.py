"""The factories of the rules, strongest first: between equal confidences the earlier rule wins."""

from __future__ import annotations

from metaflow_core.api import LinkRuleFactory, Relation, Stability
from metaflow_tracing.rules.headers import HeaderConfig, RequestId, SpanId
from metaflow_tracing.rules.inside import Inside, InsideConfig
from metaflow_tracing.rules.thread import Thread, ThreadChain, ThreadConfig
from metaflow_tracing.rules.wire import (
    Datagram,
    DatagramConfig,
    TcpSequence,
    TcpSequenceConfig,
    TranslatedTcp,
    TranslatedTcpConfig,
)

__all__ = ["RULES"]

RULES = (
    LinkRuleFactory(
        type="tcp_seq",
        relation=Relation.SAME,
        config=TcpSequenceConfig,
        create=TcpSequence,
        stability=Stability.BETA,
        summary="same 5-tuple and TCP sequence numbers: one message seen at several places",
    ),
    LinkRuleFactory(
        type="tcp_seq_nat",
        relation=Relation.SAME,
        config=TranslatedTcpConfig,
        create=TranslatedTcp,
        stability=Stability.BETA,
        summary="same TCP sequence numbers in both directions behind a translation of addresses",
    ),
    LinkRuleFactory(
        type="datagram",
        relation=Relation.SAME,
        config=DatagramConfig,
        create=Datagram,
        stability=Stability.BETA,
        summary="same 5-tuple and request id of a datagram: one message seen at several places",
    ),
    LinkRuleFactory(
        type="span_id",
        relation=Relation.CAUSE,
        config=HeaderConfig,
        create=lambda config: SpanId(),
        stability=Stability.BETA,
        summary="span ids that messages and spans carry (traceparent, b3, sw8, uber-trace-id, ...)",
    ),
    LinkRuleFactory(
        type="thread",
        relation=Relation.CAUSE,
        config=ThreadConfig,
        create=lambda config: Thread(),
        stability=Stability.BETA,
        summary="one thread received the one and then sent the other (not for threads that serve several requests at once)",
    ),
    LinkRuleFactory(
        type="thread_chain",
        relation=Relation.SIBLING,
        config=ThreadConfig,
        create=lambda config: ThreadChain(),
        stability=Stability.BETA,
        summary="one thread got its answer and then asked again",
    ),
    LinkRuleFactory(
        type="x_request_id",
        relation=Relation.CAUSE,
        config=HeaderConfig,
        create=lambda config: RequestId(),
        stability=Stability.BETA,
        summary="one X-Request-ID before and behind a gateway",
    ),
    LinkRuleFactory(
        type="inside",
        relation=Relation.CAUSE,
        config=InsideConfig,
        create=lambda config: Inside(),
        stability=Stability.BETA,
        summary="one trace id, and the only request that the sender was working on",
    ),
)
