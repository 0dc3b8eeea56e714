"""Attributes of OTLP as Python values and as text.

Source: opentelemetry-proto, ``common/v1/common.proto``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["Value", "plain", "text", "values"]

Value: TypeAlias = str | bool | int | float | bytes | list[Any] | dict[str, Any] | None

# Arrays within arrays deeper than this are cut; protobuf itself stops at 100.
_DEPTH = 16


def plain(value: Any, depth: int = 0) -> Value:
    """The Python value of an ``AnyValue``; None when it holds nothing or is nested too deeply."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEPTH:
        return None
    if kind == "array_value":
        return [plain(each, depth + 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value, depth + 1) for each in value.kvlist_value.values}
    found: Value = getattr(value, kind)
    return found


def values(attributes: Iterable[Any]) -> dict[str, Value]:
    """Attributes by key. A key that stands twice keeps its last value, as the specification leaves open."""
    return {each.key: plain(each.value) for each in attributes if each.key}


def text(value: Value) -> str:
    """How a value is written where only text can be kept: JSON for what has parts, base64 for bytes."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, dict)):
        return json.dumps(_printable(value), ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _printable(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _printable(each) for key, each in value.items()}
    return value
