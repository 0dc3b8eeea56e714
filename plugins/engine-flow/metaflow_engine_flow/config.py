"""Options of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from metaflow_core import Config, Field
from metaflow_engine_flow.description import Option
from metaflow_engine_flow.tables import TABLES

__all__ = ["EngineConfig"]

_METRICS = ("network", "network_map", "application", "application_map")


class EngineConfig(Config):
    """How packets become rows. Everything that is held in memory has a bound here."""

    engine: Literal["auto", "native", "wasm"] = Field(
        "auto",
        description="Which build runs: native code, WebAssembly, or native where it can be loaded and else WebAssembly.",
    )
    shards: int = Field(
        1, ge=1, le=64, description="Engines that share the packets by flow, each in a thread of its own."
    )
    tables: tuple[str, ...] = Field(
        ("l7_flow_log", "l7_message", "l4_flow_log", *_METRICS),
        description="Tables to write, with or without their database and interval: l7_flow_log, l7_message, l4_flow_log, network, network_map, application, application_map, explain.",
    )
    second_metrics: bool = Field(True, description="Write metrics by second too; metrics by minute are always written.")
    batch_rows: int = Field(
        4096,
        ge=1,
        le=1 << 20,
        description="Rows of a table that are waited for before they are handed on; a tick hands on all.",
    )
    agent_id: int = Field(0, ge=0, le=65535, description="Number of the agent that captures, written to every row.")
    explain: bool = Field(False, description="Keep how each flow's protocol was inferred, for 'mflow explain flow'.")
    explain_steps_per_s: int = Field(
        0,
        ge=0,
        le=1 << 20,
        description="Rows of the table explain that one second may add, for live traffic; what is beyond is counted. All are written when explain is among the tables.",
    )
    options: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Further options of the engine by name; README.md lists them."
    )

    @property
    def families(self) -> frozenset[str]:
        """The tables to write, without database and interval (``flow_metrics.network.1s``: ``network``)."""
        return frozenset(
            name.removeprefix("flow_log.").removeprefix("flow_metrics.").partition(".")[0] for name in self.tables
        )

    def engine_options(self) -> Mapping[str, Option]:
        """The options as the engine wants them."""
        tables = self.families
        return {
            "agent_id": self.agent_id,
            "explain": self.explain or "explain" in tables,
            "explain_steps_per_second": self.explain_steps_per_s,
            "l7_message": "l7_message" in tables,
            "l7_flow_log": "l7_flow_log" in tables,
            "l4_flow_log": "l4_flow_log" in tables,
            "metrics": any(table in _METRICS for table in tables),
            "second_metrics": self.second_metrics,
            **self.options,
        }

    def wanted(self) -> frozenset[str]:
        """The engine's tables that are handed on."""
        families = self.families | ({"explain"} if self.explain_steps_per_s else set())
        return frozenset(name for name in TABLES if name.partition(".")[0] in families)
