"""The kinds of checks and their options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from metaflow_check.expect.units import Duration, Share
from metaflow_core.api import Config, Field, field_validator, model_validator

__all__ = [
    "KINDS",
    "Connections",
    "Edges",
    "ErrorRatio",
    "Errors",
    "Latency",
    "Protocols",
    "Query",
    "Requests",
    "Retransmissions",
]

_STATUSES = ("ok", "client_error", "server_error", "timeout", "unknown", "parse_failed")


class _OfRequests(Config):
    """Options of every check of requests."""

    client: str = Field(default="*", description="Only requests of this end: a name, an address, a network.")
    server: str = Field(
        default="*", description="Only requests to this end: a name, an address with or without port, :port."
    )
    protocol: str | None = Field(default=None, description="Only requests of this protocol.")
    where: str = Field(default="", description="Only rows of l7_flow_log for which this is true.")
    at_least: int = Field(default=1, ge=0, description="Requests there must be; fewer fail, since nothing was checked.")


class Errors(_OfRequests):
    """How many requests failed."""

    max: int = Field(default=0, ge=0, description="So many may fail.")
    status: tuple[str, ...] = Field(
        default=("server_error",), description="What counts: server_error, client_error, timeout, unknown."
    )

    @field_validator("status")
    @classmethod
    def _status(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        import difflib

        for name in value:
            if name not in _STATUSES:
                near = difflib.get_close_matches(name, _STATUSES, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_STATUSES)}"
                raise ValueError(f"there is no status {name!r}; {hint}")
        return value


class ErrorRatio(Errors):
    """Which share of requests failed."""

    max: Share = Field(default=0.0, description="This share may fail, e.g. 1 %.")  # type: ignore[assignment]
    status: tuple[str, ...] = Field(default=("server_error", "client_error", "timeout"), description="What counts.")


class Latency(_OfRequests):
    """How long answers took."""

    quantile: float = Field(default=95.0, gt=0, le=100, description="Per cent of the answers; 100 is the slowest.")
    max: Duration = Field(description="They may take this long, e.g. 20 ms.")


class Requests(_OfRequests):
    """How many requests there are."""

    at_least: int = Field(default=0, ge=0, description="So many there must be.")
    at_most: int | None = Field(default=None, ge=0, description="So many there may be.")


class Edges(Config):
    """Who may and must call whom: ``client -> server``, with names, addresses or ``*``."""

    required: tuple[str, ...] = Field(default=(), description="Each must have had a request.")
    allowed: tuple[str, ...] = Field(default=(), description="Everything else is forbidden.")
    forbidden: tuple[str, ...] = Field(default=(), description="None may have had a request.")
    baseline: Path | None = Field(
        default=None, description="File of --write-baseline; an edge not in it is new, and fails."
    )

    @model_validator(mode="after")
    def _something(self) -> Edges:
        if not (self.required or self.allowed or self.forbidden or self.baseline):
            raise ValueError("give required, allowed, forbidden or baseline")
        for text in (*self.required, *self.allowed, *self.forbidden):
            if len([part for part in text.split("->") if part.strip()]) != 2:
                raise ValueError(f"{text!r} is no edge; write: client -> server")
        return self


class Protocols(Config):
    """Which protocols may be spoken."""

    allowed: tuple[str, ...] = Field(default=(), description="Everything else is forbidden.")
    forbidden: tuple[str, ...] = Field(default=(), description="None of these.")

    @model_validator(mode="after")
    def _something(self) -> Protocols:
        if not (self.allowed or self.forbidden):
            raise ValueError("give allowed or forbidden")
        return self


class _OfFlows(Config):
    """Options of every check of connections."""

    client: str = Field(default="*", description="Only connections of this end.")
    server: str = Field(default="*", description="Only connections to this end.")
    where: str = Field(default="", description="Only rows of l4_flow_log for which this is true.")


class Retransmissions(_OfFlows):
    """Which share of TCP packets was sent again."""

    max: Share = Field(description="This share of packets, e.g. 0.1 %.")


class Connections(_OfFlows):
    """How many TCP connections could not be made, or broke off."""

    max_failed: int = Field(default=0, ge=0, description="So many may fail.")


class Query(Config):
    """Any question in SQL, with a comparison for the first value of each row."""

    sql: str = Field(min_length=1, description="The question, as for mflow query.")
    value: str = Field(default="<= 0", description="Comparison: <= 5, < 2.5, = 0, != 1, >= 10, > 0.")
    rows: str | None = Field(default=None, description="Comparison for the number of rows, e.g. = 0.")

    @field_validator("value", "rows")
    @classmethod
    def _comparison(cls, value: str | None) -> str | None:
        from metaflow_check.measure.compare import read_comparison

        if value is not None:
            read_comparison(value)
        return value


KINDS: Mapping[str, type[Config]] = {
    "errors": Errors,
    "error_ratio": ErrorRatio,
    "latency": Latency,
    "requests": Requests,
    "edges": Edges,
    "protocols": Protocols,
    "retransmissions": Retransmissions,
    "connections": Connections,
    "query": Query,
}
"""The word in the file, and the options below it."""
