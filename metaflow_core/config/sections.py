"""The sections of the configuration that belong to the core, and the core's own keys inside component sections."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from metaflow_core.api.config import Config, Field, field_validator
from metaflow_core.api.identity import ComponentId, Kind

__all__ = [
    "COMPONENT_KINDS",
    "VERSION",
    "ArtifactSection",
    "CoreKeys",
    "GatherSection",
    "LogFormat",
    "OnError",
    "PipelineSection",
    "PluginsSection",
    "QueueSection",
    "ServiceSection",
    "StartupError",
    "TelemetrySection",
]

VERSION = 1
"""The version of the configuration's format."""

COMPONENT_KINDS = tuple(kind for kind in Kind if kind not in (Kind.LOADER, Kind.LINK_RULE))
"""Kinds with a section of their own; loaders are chosen by the suffix of a file, rules by whoever assembles traces."""


class StartupError(StrEnum):
    """What to do when a component cannot start."""

    FAIL = "fail"
    RETRY = "retry"
    IGNORE = "ignore"


class OnError(StrEnum):
    """What a component that keeps failing does to its pipeline."""

    ISOLATE = "isolate"
    FAIL = "fail"


class LogFormat(StrEnum):
    """How ``mflow`` writes its log."""

    TEXT = "text"
    JSON = "json"


class ArtifactSection(Config):
    """A parser artifact that is loaded without being installed."""

    path: Path = Field(description="The artifact; its manifest NAME.metaflow.toml stands beside it.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="Digest that the file must have, 64 hexadecimal digits."
    )
    memory_mib: int | None = Field(
        None, ge=1, le=2047, description="Memory it may use, in MiB; default what its manifest says."
    )
    deadline_ms: int | None = Field(
        None, ge=1, le=60_000, description="Time it may take for one batch, in milliseconds; default its manifest's."
    )


class PluginsSection(Config):
    """Which plugins are loaded. Read before everything else; a change needs a restart."""

    autoload: bool = Field(True, description="Load every installed plugin; false: only those under enable.")
    enable: tuple[str, ...] = Field((), description="Entry-point names to load when autoload is off.")
    disable: tuple[str, ...] = Field((), description="Entry-point names that are never imported.")
    require: tuple[str, ...] = Field((), description="Distributions that must be there, e.g. NAME>=0.3.")
    override: dict[str, str] = Field(
        default_factory=dict, description="Which plugin gives a component that two offer: {parsers.NAME: PLUGIN}."
    )
    paths: tuple[str, ...] = Field((), description="Folders of single-file plugins (*.py).")
    artifacts: tuple[ArtifactSection, ...] = Field((), description="Parser artifacts to load.")


class QueueSection(Config):
    """How much may wait in each queue of a pipeline before whoever fills it has to wait."""

    max_batches: int = Field(64, ge=1, le=1_000_000, description="Blocks or batches that may wait.")
    max_bytes: int = Field(64 << 20, ge=65_536, description="Bytes that may wait.")


class GatherSection(Config):
    """How long rows may wait in memory for more before they are written. Whoever asks for them has them written at once."""

    wait_s: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="How long rows may wait for more while nobody asks for them, in seconds; a kill loses those that wait. 0: not at all.",
    )
    held_s: float = Field(
        0.0,
        ge=0,
        le=60,
        description="The same for batches of which the sender waits to hear that they are stored, in seconds; nothing of those is lost.",
    )
    max_rows: int = Field(100_000, ge=1, description="With so many rows waiting, all are written.")
    max_bytes: int = Field(32 << 20, ge=65_536, description="With so many bytes waiting, all are written.")


class PipelineSection(Config):
    """One way of the data: who collects, who parses, who tags, who keeps."""

    collectors: tuple[str, ...] = Field(min_length=1, description="Ids of the collectors.")
    engine: str | None = Field(
        None,
        description="Id of the flow engine; default the only one there is, when a collector hands over packets or segments.",
    )
    parsers: tuple[str, ...] = Field(
        ("*",), description="Ids of the parsers in their order of priority; '*' is every other parser there is."
    )
    refiners: tuple[str, ...] = Field(
        (),
        description="Ids of the refiners, in the order in which they see the messages of the parsers that they refine.",
    )
    taggers: tuple[str, ...] = Field((), description="Ids of the taggers, in the order in which they see the rows.")
    storages: tuple[str, ...] = Field((), description="Ids of the storages; each gets every row.")
    exporters: tuple[str, ...] = Field((), description="Ids of the exporters; each gets every row.")
    queue: QueueSection = Field(QueueSection(), description="How much may wait.")
    gather: GatherSection = Field(
        GatherSection(), description="How long rows may wait for more before they are written."
    )
    on_error: OnError = Field(
        OnError.ISOLATE, description="What a component that keeps failing does: isolate it, or fail the whole app."
    )

    @field_validator("collectors", "parsers", "refiners", "taggers", "storages", "exporters")
    @classmethod
    def _are_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for text in ids:
            if text != "*":
                ComponentId.parse(text)
            if text in seen:
                raise ValueError(f"{text!r} stands here twice")
            seen.add(text)
        return ids

    @field_validator("collectors", "refiners", "taggers", "storages", "exporters")
    @classmethod
    def _no_star(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in ids:
            raise ValueError("'*' is only allowed for parsers; name the components")
        return ids

    @field_validator("engine")
    @classmethod
    def _is_id(cls, text: str | None) -> str | None:
        if text is not None:
            ComponentId.parse(text)
        return text


class TelemetrySection(Config):
    """What ``mflow`` tells of itself in its log. An embedded app never touches logging."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is written.")
    format: LogFormat = Field(LogFormat.TEXT, description="Lines for people, or JSON for machines.")
    counters_every_s: float = Field(
        0.0, ge=0, description="Write the counters that changed this often, in seconds; 0 never."
    )


class ServiceSection(Config):
    """How the whole app behaves. A change needs a restart."""

    startup_error: StartupError = Field(
        StartupError.FAIL, description="When a component cannot start: fail, retry until it can, or ignore it."
    )
    data_dir: Path | None = Field(None, description="Where components may keep files; default they keep none.")
    telemetry: TelemetrySection = Field(TelemetrySection(), description="What is logged.")
    stop_timeout_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="How long a component may take to stop, in seconds, and how long the last rows may stand still.",
    )
    drain_timeout_s: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="How long the last rows may take while they get fewer, in seconds; then they are given up, counted.",
    )


class CoreKeys(Config):
    """Keys of a component's section that belong to the core; they begin with an underscore, and no plugin sees them."""

    startup_error: StartupError | None = Field(
        None, alias="_startup_error", description="As service.startup_error, for this component."
    )
    storage: str | None = Field(
        None, alias="_storage", description="Dialects only: the storage that is asked; default the only readable one."
    )
