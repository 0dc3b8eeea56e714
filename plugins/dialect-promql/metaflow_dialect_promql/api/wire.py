"""The protobuf messages of remote read, declared by their published field numbers (prometheus/prompb, ``remote.proto``)."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["messages"]

# (name, number, type, repeated): types of protobuf, or another message here.
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "LabelMatcher": (("type", 1, "int32", False), ("name", 2, "string", False), ("value", 3, "string", False)),
    "Query": (
        ("start_timestamp_ms", 1, "int64", False),
        ("end_timestamp_ms", 2, "int64", False),
        ("matchers", 3, "LabelMatcher", True),
    ),
    "ReadRequest": (("queries", 1, "Query", True), ("accepted_response_types", 2, "int32", True)),
    "Label": (("name", 1, "string", False), ("value", 2, "string", False)),
    "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
    "TimeSeries": (("labels", 1, "Label", True), ("samples", 2, "Sample", True)),
    "QueryResult": (("timeseries", 1, "TimeSeries", True),),
    "ReadResponse": (("results", 1, "QueryResult", True),),
    "Chunk": (
        ("min_time_ms", 1, "int64", False),
        ("max_time_ms", 2, "int64", False),
        ("type", 3, "int32", False),
        ("data", 4, "bytes", False),
    ),
    "ChunkedSeries": (("labels", 1, "Label", True), ("chunks", 2, "Chunk", True)),
    "ChunkedReadResponse": (("chunked_series", 1, "ChunkedSeries", True), ("query_index", 2, "int64", False)),
}
_TYPES = {"double": 1, "int64": 3, "int32": 5, "string": 9, "message": 11, "bytes": 12}


@cache
def messages() -> dict[str, Any]:
    """Message classes by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "metaflow.prometheus.read"
    file = descriptor_pb2.FileDescriptorProto(name="metaflow/prometheus_read.proto", package=package, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            other = kind not in _TYPES
            message.field.add(
                name=field,
                number=number,
                type=_TYPES["message" if other else kind],
                label=3 if repeated else 1,
                type_name=f".{package}.{kind}" if other else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in _MESSAGES
    }
