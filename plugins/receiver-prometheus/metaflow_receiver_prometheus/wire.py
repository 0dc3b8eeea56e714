"""The protobuf messages of remote write, declared by their published field numbers.

1.0: ``prometheus.WriteRequest`` (prompb/remote.proto, types.proto); 2.0: ``io.prometheus.write.v2.Request``. Fields that are not
declared (native histograms) are carried as bytes, so that they can be counted.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["messages"]

_Fields = tuple[tuple[str, int, str, bool], ...]

_V1: dict[str, _Fields] = {
    "Label": (("name", 1, "string", False), ("value", 2, "string", False)),
    "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
    "Exemplar": (("labels", 1, "Label", True), ("value", 2, "double", False), ("timestamp", 3, "int64", False)),
    "TimeSeries": (
        ("labels", 1, "Label", True),
        ("samples", 2, "Sample", True),
        ("exemplars", 3, "Exemplar", True),
        ("histograms", 4, "bytes", True),
    ),
    "MetricMetadata": (
        ("type", 1, "int32", False),
        ("metric_family_name", 2, "string", False),
        ("help", 4, "string", False),
        ("unit", 5, "string", False),
    ),
    "WriteRequest": (("timeseries", 1, "TimeSeries", True), ("metadata", 3, "MetricMetadata", True)),
}
_V2: dict[str, _Fields] = {
    "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
    "Exemplar": (("labels_refs", 1, "uint32", True), ("value", 2, "double", False), ("timestamp", 3, "int64", False)),
    "Metadata": (("type", 1, "int32", False), ("help_ref", 3, "uint32", False), ("unit_ref", 4, "uint32", False)),
    "TimeSeries": (
        ("labels_refs", 1, "uint32", True),
        ("samples", 2, "Sample", True),
        ("histograms", 3, "bytes", True),
        ("exemplars", 4, "Exemplar", True),
        ("metadata", 5, "Metadata", False),
    ),
    "Request": (("symbols", 4, "string", True), ("timeseries", 5, "TimeSeries", True)),
}
_TYPES = {"double": 1, "int64": 3, "int32": 5, "string": 9, "message": 11, "bytes": 12, "uint32": 13}


@cache
def messages(version: int) -> dict[str, Any]:
    """Message classes of remote write 1 or 2, by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    declared = _V1 if version == 1 else _V2
    package = f"metaflow.prometheus.write{version}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in declared.items():
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
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in declared}
