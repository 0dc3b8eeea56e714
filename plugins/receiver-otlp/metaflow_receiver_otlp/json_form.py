"""OTLP's JSON form, which differs from protobuf's own: trace and span ids are hexadecimal, not base64.

Source: opentelemetry-specification, "OTLP/HTTP, JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from metaflow_core.errors import ParseError

__all__ = ["read_json", "write_json"]

_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


def read_json(body: bytes, message: Any) -> Any:
    """Fill ``message`` from JSON; unknown fields are passed over.

    :raises ParseError: it is no JSON, or not of this message.
    """
    from google.protobuf import json_format

    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ParseError(f"the body is a JSON {type(document).__name__}; expected an object")
        _ids(document)
        return json_format.ParseDict(document, message, ignore_unknown_fields=True)
    except (json_format.Error, ValueError) as error:
        raise ParseError(f"the body is not OTLP's JSON: {str(error).splitlines()[0][:200]}") from None
    except RecursionError:
        raise ParseError("the body's JSON is nested too deeply") from None


def write_json(message: Any) -> bytes:
    """A message as JSON."""
    from google.protobuf import json_format

    return json.dumps(json_format.MessageToDict(message)).encode()


def _ids(document: dict[str, Any]) -> None:
    """Rewrite hexadecimal ids to base64, in place. Walks without recursion: the document is a stranger's."""
    waiting: list[Any] = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(each for each in item if isinstance(each, (dict, list)))
            continue
        for key, value in item.items():
            if isinstance(value, (dict, list)):
                waiting.append(value)
            elif key in _IDS and isinstance(value, str):
                try:
                    item[key] = base64.b64encode(bytes.fromhex(value)).decode()
                except (ValueError, binascii.Error):
                    raise ParseError(f"{key} {value[:40]!r} is not hexadecimal") from None
