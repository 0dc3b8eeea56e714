"""Log records as rows of ``application_log.log``."""

from __future__ import annotations

from typing import Any

from metaflow_receiver_otlp.attributes import plain, text, values
from metaflow_receiver_otlp.outcome import Outcome
from metaflow_receiver_otlp.rows import Rows

__all__ = ["TABLE", "logs"]

TABLE = "application_log.log"
_COLUMNS = (
    "timestamp",
    "_type",
    "trace_id",
    "span_id",
    "trace_flags",
    "severity_number",
    "body",
    "app_service",
    "app_instance",
    "attribute_names",
    "attribute_values",
)
_MAX_NS = (1 << 63) - 1
# OTLP counts 1 (trace) to 24 (fatal) in steps of four; the catalogue 7 (trace) to 2 (fatal).
_SEVERITY = (7, 6, 5, 4, 3, 2)
_UNKNOWN = 8
_WORDS = {"TRACE": 7, "DEBUG": 6, "INFO": 5, "WARN": 4, "WARNING": 4, "ERROR": 3, "FATAL": 2, "CRITICAL": 2}


def logs(request: Any, now_ns: int, max_attributes: int) -> Outcome:
    """The rows of an ``ExportLogsServiceRequest``. A record without a time has the time it was received at."""
    outcome, rows = Outcome(), Rows(_COLUMNS)
    for each in request.resource_logs:
        of_resource = values(each.resource.attributes)
        service, instance = (
            text(of_resource.pop("service.name", None)),
            text(of_resource.pop("service.instance.id", None)),
        )
        for scope in each.scope_logs:
            for record in scope.log_records:
                at = record.time_unix_nano or record.observed_time_unix_nano or now_ns
                if at > _MAX_NS:
                    outcome.refuse("the time of a log record must be Unix nanoseconds")
                    continue
                kept = {**of_resource, **values(record.attributes)}
                if scope.scope.name:
                    kept.setdefault("otel.scope.name", scope.scope.name)
                if record.event_name:
                    kept.setdefault("event.name", record.event_name)
                names = list(kept)[:max_attributes]
                rows.add(
                    at // 1000,
                    0,
                    record.trace_id.hex() if any(record.trace_id) else "",
                    record.span_id.hex() if any(record.span_id) else "",
                    record.flags & 0xFF,
                    _severity(record),
                    text(plain(record.body)),
                    service,
                    instance,
                    names,
                    [text(kept[key]) for key in names],
                )
    if len(rows):
        outcome.batches[TABLE] = rows.batch()
    return outcome


def _severity(record: Any) -> int:
    if 1 <= record.severity_number <= 24:
        return _SEVERITY[(record.severity_number - 1) // 4]
    return _WORDS.get(record.severity_text.strip().upper(), _UNKNOWN if record.severity_text else 0)
