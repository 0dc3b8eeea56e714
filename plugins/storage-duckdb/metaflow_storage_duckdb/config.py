"""Options of the DuckDB storage."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["DuckdbConfig"]


class DuckdbConfig(Config):
    """Where rows are kept, and how much a question may take."""

    path: str | None = Field(
        default=None,
        min_length=1,
        description="The database file; null for metaflow.duckdb in the component's data directory, ':memory:' for none.",
    )
    read_only: bool = Field(default=False, description="Only answer questions; the file must be there.")
    max_memory_bytes: int = Field(
        default=2 << 30, ge=64 << 20, description="Memory that DuckDB may use before it writes to temporary files."
    )
    max_temp_bytes: int = Field(
        default=8 << 30, ge=0, description="Bytes of temporary files that large questions may write; 0 for none."
    )
    threads: int = Field(default=2, ge=1, le=256, description="Threads of DuckDB.")
    max_query_s: float = Field(default=60.0, gt=0, description="Seconds that a question may take before it is stopped.")
    max_result_rows: int = Field(default=10_000_000, ge=1, description="Rows that an answer may have.")
    remembered_batches: int = Field(
        default=1_000_000, ge=1_000, description="Batch ids that are remembered, so that none of them is stored twice."
    )
