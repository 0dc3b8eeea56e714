"""The buffers of ``mf_abi_v1`` in Python: batches in, checks and records out. Standard library only.

``MFB1`` (segments) is read by :class:`SegmentBatch` and written by :class:`BatchBuilder`; ``MFC1`` and ``MFR1`` are
written by :class:`CheckBuilder` and :class:`RecordBuilder` and read by :func:`read_checks` and :func:`read_records`.
Whatever a reader is given, it raises :class:`metaflow_core.errors.ParseError` or nothing. The contract is
``wasm-sdk/abi/v1.md``.
"""

from __future__ import annotations

from metaflow_core.api.wire.batch import BatchBuilder
from metaflow_core.api.wire.checks import Check, CheckBuilder, read_checks
from metaflow_core.api.wire.frame import check_frame
from metaflow_core.api.wire.message import Message, Record, RecordFlag, RecordType, Status, Verdict
from metaflow_core.api.wire.records import RecordBuilder, read_records
from metaflow_core.api.wire.segments import Direction, Segment, SegmentBatch, SegmentFlag, SegmentKind

__all__ = [
    "BatchBuilder",
    "Check",
    "CheckBuilder",
    "Direction",
    "Message",
    "Record",
    "RecordBuilder",
    "RecordFlag",
    "RecordType",
    "Segment",
    "SegmentBatch",
    "SegmentFlag",
    "SegmentKind",
    "Status",
    "Verdict",
    "check_frame",
    "read_checks",
    "read_records",
]
