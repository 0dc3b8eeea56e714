"""Options of the PromQL dialect and of its HTTP API."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["ApiConfig", "PromqlConfig"]


class PromqlConfig(Config):
    """Limits and defaults of the language."""

    lookback_s: float = Field(
        default=300.0, gt=0, le=86_400, description="Seconds for which the newest sample of a series stays its value."
    )
    subquery_step_s: float = Field(
        default=60.0, gt=0, le=86_400, description="Seconds between the steps of a subquery that names none."
    )
    max_samples: int = Field(
        default=50_000_000, ge=1, description="Samples or points that one query may hold at once; more is refused."
    )
    max_series: int = Field(default=100_000, ge=1, description="Series that one selector may select; more is refused.")
    trace_metrics: bool = Field(
        default=True,
        description="Answer traces_service_graph_* and traces_spanmetrics_* from the request log when no such samples are stored.",
    )
    max_points: int = Field(default=11_000, ge=1, description="Steps of a range query; more is refused.")


class ApiConfig(Config):
    """How Prometheus' HTTP API is offered."""

    dialect: str = Field(default="promql", description="Id of the dialect that answers.")
    prefix: str = Field(
        default="/prom", pattern=r"^/[a-zA-Z0-9_/-]*[a-zA-Z0-9_]$", description="Path that the API stands under."
    )
    timeout_s: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="Seconds that a query may take; a request can ask for less, not for more.",
    )
    max_body_bytes: int = Field(
        default=4 << 20, ge=1024, description="Bytes of a request's body, before and after it is unpacked."
    )
