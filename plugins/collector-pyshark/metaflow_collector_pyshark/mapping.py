"""From a tshark layer to the columns of ``l7_message``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Dissector", "Layer", "columns_of", "load_dissectors"]

_UNKNOWN_PROTOCOL = 0
_REQUEST, _RESPONSE, _SESSION = 0, 1, 2
_NUMBERS = frozenset({"response_code", "request_id"})
_TEXTS = (
    "request_type", "request_domain", "request_resource", "version", "response_exception", "response_result",
)  # fmt: skip


class Layer(Protocol):
    """The part of pyshark's layer that is used."""

    layer_name: str
    field_names: Sequence[str]

    def get_field_value(self, name: str) -> Any:
        """A field's first value, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Dissector:
    """One section of ``dissectors.toml``."""

    protocol: int
    request: tuple[str, ...]
    response: tuple[str, ...]
    response_flag: str | None
    columns: Mapping[str, tuple[str, ...]]


def load_dissectors(path: Path | None = None) -> dict[str, Dissector]:
    """Read the mapping.

    :raises ValueError: it is not of that form.
    """
    data = tomllib.loads((path or Path(__file__).with_name("dissectors.toml")).read_text(encoding="utf-8"))
    found: dict[str, Dissector] = {}
    for name, section in data.items():
        columns = {key: tuple(value) for key, value in section.items() if key in _NUMBERS or key in _TEXTS}
        found[name] = Dissector(
            int(section["protocol"]),
            tuple(section.get("request", ())),
            tuple(section.get("response", ())),
            section.get("response_flag"),
            columns,
        )
    return found


def columns_of(
    layer: Layer, dissector: Dissector | None, *, max_attributes: int, max_value_bytes: int
) -> dict[str, Any]:
    """Columns for one layer of one packet."""

    def value(field: str) -> str | None:
        raw = layer.get_field_value(field)
        return None if raw is None else str(raw).encode()[:max_value_bytes].decode(errors="ignore")

    row: dict[str, Any] = {"l7_protocol": _UNKNOWN_PROTOCOL, "type": _SESSION, "parser": f"tshark.{layer.layer_name}"}
    if dissector is not None:
        row["l7_protocol"] = dissector.protocol
        row["type"] = _type(dissector, value)
        for column, fields in dissector.columns.items():
            text = next((found for found in map(value, fields) if found), None)
            row[column] = _number(text) if column in _NUMBERS else text
    names: list[str] = []
    values: list[str] = []
    for field in dict.fromkeys(layer.field_names):
        if len(names) >= max_attributes:
            break
        text = value(field) if field else None
        if text:
            names.append(f"{layer.layer_name}.{field}")
            values.append(text)
    row["attribute_names"], row["attribute_values"] = names, values
    return row


def _type(dissector: Dissector, value: Any) -> int:
    if dissector.response_flag is not None:
        return _RESPONSE if value(dissector.response_flag) in {"1", "True"} else _REQUEST
    if any(value(field) for field in dissector.response):
        return _RESPONSE
    if any(value(field) for field in dissector.request):
        return _REQUEST
    return _SESSION if not dissector.request else _RESPONSE


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None
