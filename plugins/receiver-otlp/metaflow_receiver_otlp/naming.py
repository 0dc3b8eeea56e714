"""OpenTelemetry's names as Prometheus writes them.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility"; Prometheus' otlptranslator (strategy
"UnderscoreEscapingWithSuffixes", the default of its OTLP endpoint).
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["label_name", "metric_name"]

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
}
_PER = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_IN_BRACES = re.compile(r"\{[^}]*\}")
_OTHER = re.compile(r"[^a-zA-Z0-9:]+")
_OTHER_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")


@lru_cache(maxsize=8192)
def metric_name(name: str, unit: str, *, counter: bool, gauge: bool) -> str:
    """The name of a metric: other signs become ``_``, the unit and ``_total`` (of a counter) stand at its end.

    ``http.server.request.duration`` in ``s`` is ``http_server_request_duration_seconds``.
    """
    parts = [part for part in _OTHER.split(name) if part]
    for suffix in _suffixes(unit):
        if suffix not in parts:
            parts.append(suffix)
    if counter:
        parts = [*(part for part in parts if part != "total"), "total"]
    if unit == "1" and gauge and "ratio" not in parts:
        parts.append("ratio")
    found = "_".join(parts)
    return f"_{found}" if found[:1].isdigit() else found


def _suffixes(unit: str) -> list[str]:
    main, _, per = _IN_BRACES.sub("", unit).strip().partition("/")
    found: list[str] = []
    if main and main != "1":
        found += [part for part in _OTHER.split(_UNITS.get(main, main)) if part]
    if per:
        rest = [part for part in _OTHER.split(_PER.get(per, per)) if part]
        found += ["per", *rest] if rest else []
    return found


@lru_cache(maxsize=8192)
def label_name(name: str) -> str:
    """The name of a label: other signs become ``_``; a name that begins with a digit gets ``key_`` in front."""
    found = _OTHER_IN_LABEL.sub("_", name)
    if found[:1].isdigit():
        return f"key_{found}"
    return f"key{found}" if found.startswith("_") and not found.startswith("__") else found
