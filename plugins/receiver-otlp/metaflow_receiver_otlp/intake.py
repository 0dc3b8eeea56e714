"""From a message to the pipeline, the same for both transports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

from metaflow_core.api import BuildContext, Emit, RecordBatch
from metaflow_core.errors import ParseError
from metaflow_receiver_otlp.config import OtlpConfig
from metaflow_receiver_otlp.logs import logs
from metaflow_receiver_otlp.metrics import metrics
from metaflow_receiver_otlp.outcome import Outcome
from metaflow_receiver_otlp.spans import spans

__all__ = ["Busy", "Intake", "NotTaken", "Signal", "signals"]


class Busy(Exception):
    """Too many requests at once; send again later."""


class NotTaken(Exception):
    """The pipeline does not have the rows; send again later."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OTLP's signals.

    :ivar name: as in the path, e.g. ``traces``. :ivar service: full name of the gRPC service.
    :ivar request: message class of a request, :ivar response: of an answer. :ivar rejected: the answer's field that counts.
    """

    name: str
    service: str
    request: Any
    response: Any
    rejected: str


@cache
def signals() -> tuple[Signal, ...]:
    """Traces, metrics and logs; imported when they are first needed."""
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as of_logs
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as of_metrics
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as of_traces

    base = "opentelemetry.proto.collector"
    return (
        Signal(
            "traces",
            f"{base}.trace.v1.TraceService",
            of_traces.ExportTraceServiceRequest,
            of_traces.ExportTraceServiceResponse,
            "rejected_spans",
        ),
        Signal(
            "metrics",
            f"{base}.metrics.v1.MetricsService",
            of_metrics.ExportMetricsServiceRequest,
            of_metrics.ExportMetricsServiceResponse,
            "rejected_data_points",
        ),
        Signal(
            "logs",
            f"{base}.logs.v1.LogsService",
            of_logs.ExportLogsServiceRequest,
            of_logs.ExportLogsServiceResponse,
            "rejected_log_records",
        ),
    )


class Intake:
    """Reads messages, hands their rows on, and counts."""

    def __init__(self, context: BuildContext, config: OtlpConfig) -> None:
        self._context = context
        self._config = config
        self._busy = 0
        self.emit: Emit | None = None

    async def take(self, signal: Signal, body: bytes, message: Any = None) -> Any:
        """Take one request.

        :param body: its bytes, which make the id under which a repetition is recognised.
        :param message: the message, where it was read already.
        :returns: the answer. :raises ParseError: the bytes are no such message. :raises Busy: :raises NotTaken:
        """
        if self._busy >= self._config.max_requests:
            self.refused("busy")
            raise Busy(f"{self._busy} requests are being worked on already; send again later")
        self._busy += 1
        try:
            outcome = await asyncio.to_thread(self._read, signal, body, message)
            await self._hand_over(outcome, body)
        finally:
            self._busy -= 1
        for reason, count in outcome.refused.items():
            self._context.counters.add("dropped", count, reason=_word(reason))
        answer = signal.response()
        if outcome.refused:
            setattr(answer.partial_success, signal.rejected, outcome.rejected)
            answer.partial_success.error_message = outcome.sentence()
        return answer

    def refused(self, reason: str) -> None:
        """Count a request that was not taken."""
        self._context.counters.add("refused", reason=reason, unit="requests")

    def _read(self, signal: Signal, body: bytes, message: Any) -> Outcome:
        from google.protobuf.message import DecodeError

        if message is None:
            try:
                message = signal.request.FromString(body)
            except DecodeError as error:
                self.refused("protobuf")
                raise ParseError(f"the body is no {signal.request.__name__}: {error}") from None
        self._context.counters.add("received", len(body), unit="bytes")
        if signal.name == "traces":
            return spans(message, self._context.catalog, self._config.max_attributes)
        now = self._context.clock.time_ns()
        return metrics(message, now) if signal.name == "metrics" else logs(message, now, self._config.max_attributes)

    async def _hand_over(self, outcome: Outcome, body: bytes) -> None:
        digest = blake2b(body, digest_size=16).hexdigest()
        for table, batch in outcome.batches.items():
            if self.emit is None:
                self.refused("stopping")
                raise NotTaken("the receiver is not running; send again later")
            try:
                # The same bytes again are the same rows: a sender that missed the answer may repeat the request.
                await self.emit(RecordBatch(table, batch, digest))
            except Exception as error:
                self.refused("pipeline")
                self._context.logger.warning("The pipeline did not take a request: %s", error)
                raise NotTaken(f"the rows were not taken: {error}; send again later") from error
            self._context.counters.add("received", batch.num_rows)


def _word(reason: str) -> str:
    """A reason as the name of a counter: what it names in quotes is left out, so that there are few."""
    kept = reason.split("'")[::2]
    return "_".join("_".join(kept).replace(";", " ").replace(",", " ").split())[:60]
