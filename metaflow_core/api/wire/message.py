"""What a parser says: verdicts on a flow, and messages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Any, TypedDict

from metaflow_core.api import abi

__all__ = ["Message", "Record", "RecordFlag", "RecordType", "Status", "Verdict"]


class Verdict(IntEnum):
    """The answer of inference about the first bytes of a flow."""

    NO = abi.VERDICT_NO
    MORE = abi.VERDICT_MORE
    REQUEST = abi.VERDICT_REQUEST
    RESPONSE = abi.VERDICT_RESPONSE


class RecordType(IntEnum):
    """What a record is."""

    REQUEST = abi.RECORD_TYPE_REQUEST
    RESPONSE = abi.RECORD_TYPE_RESPONSE
    SESSION = abi.RECORD_TYPE_SESSION
    EXCHANGE = abi.RECORD_TYPE_EXCHANGE
    VIOLATION = abi.RECORD_TYPE_VIOLATION
    SKIPPED = abi.RECORD_TYPE_SKIPPED


class Status(IntEnum):
    """Response status."""

    OK = abi.STATUS_OK
    TIMEOUT = abi.STATUS_TIMEOUT
    SERVER_ERROR = abi.STATUS_SERVER_ERROR
    CLIENT_ERROR = abi.STATUS_CLIENT_ERROR
    UNKNOWN = abi.STATUS_UNKNOWN
    PARSE_FAILED = abi.STATUS_PARSE_FAILED


class RecordFlag(IntFlag):
    """Bits of a record's ``flags``."""

    IS_TLS = abi.RECORD_FLAG_IS_TLS
    IS_ASYNC = abi.RECORD_FLAG_IS_ASYNC
    IS_REVERSED = abi.RECORD_FLAG_IS_REVERSED
    MORE_RESPONSES = abi.RECORD_FLAG_MORE_RESPONSES
    UNPAIRED = abi.RECORD_FLAG_UNPAIRED


class Message(TypedDict, total=False):
    """What a parser says of one message; every key may be left out. A plain dictionary at run time.

    Texts may be given as bytes of the wire: what is not UTF-8 becomes U+FFFD. An empty text is an absent one, and a
    number that does not fit its column is absent. Offsets and lengths are bytes, times nanoseconds since 1970.
    """

    segment_index: int
    type: RecordType
    status: Status
    code: int
    request_id: int
    stream_id: int
    stream_offset: int
    time_ns: int
    protocol: int
    length: int
    end_time_ns: int
    affected_rows: int
    flags: int
    captured_bytes: int
    request_type: str | bytes
    request_domain: str | bytes
    request_resource: str | bytes
    endpoint: str | bytes
    version: str | bytes
    exception: str | bytes
    result: str | bytes
    trace_id: str | bytes
    span_id: str | bytes
    parent_span_id: str | bytes
    x_request_id: str | bytes
    http_proxy_client: str | bytes
    app_service: str | bytes
    app_instance: str | bytes
    trace_id_2: str | bytes
    attributes: Mapping[str, str]
    biz_type: str | bytes


Record = dict[str, Any]
"""A message as it is read back: numbers as integers, texts as ``str``, ``attributes`` as a dictionary."""
