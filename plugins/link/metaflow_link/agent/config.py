"""Options of the agent's half."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from metaflow_core.api import Config, Field, SecretStr, field_validator, host_and_port, model_validator
from metaflow_link.port import PORT
from metaflow_link.spool.spool import Fsync, WhenFull
from metaflow_link.wire.packing import Packing

__all__ = ["SenderConfig"]


class SenderConfig(Config):
    """Where the server is, how it is trusted, and what is kept while it is away."""

    server: str = Field(description="The server's address and port, e.g. 10.0.0.5:20133.")
    token: SecretStr | None = Field(default=None, description="The token that the server wants; null for none.")
    tls: bool = Field(default=False, description="Speak TLS; on by itself where tls_ca or tls_cert is given.")
    tls_ca: Path | None = Field(
        default=None, description="PEM file with the certificates to trust; null for those the system trusts."
    )
    tls_cert: Path | None = Field(default=None, description="PEM file with a certificate to show the server (mTLS).")
    tls_key: Path | None = Field(default=None, description="PEM file with that certificate's key.")
    tls_name: str | None = Field(
        default=None, description="Name that the server's certificate must have; null for that of the address."
    )
    spool: Path | None = Field(default=None, description="Folder of the spool; null for one in the data directory.")
    spool_bytes: int = Field(default=1 << 30, ge=1 << 16, description="Bytes that may wait on disk.")
    segment_bytes: int = Field(default=8 << 20, ge=4096, description="Bytes of one file of the spool, about.")
    when_full: WhenFull = Field(
        default=WhenFull.DROP_OLDEST,
        description="What a full spool does: drop_oldest, drop_newest, or wait (then what feeds it waits). Drops are counted.",
    )
    fsync: Fsync = Field(
        default=Fsync.INTERVAL,
        description="When the disk must have what is spooled: always (before a batch counts as taken), interval, or never. "
        "A killed process loses nothing either way; a power cut loses what the disk did not have.",
    )
    fsync_s: float = Field(default=1.0, gt=0, le=3600, description="Seconds between two syncs, with fsync: interval.")
    packing: Packing = Field(default=Packing.ZSTD, description="How batches are packed: zstd, lz4 or none.")
    max_batch_bytes: int = Field(
        default=8 << 20, ge=1 << 16, description="Bytes of a batch unpacked; a larger one is sent in parts."
    )
    window_batches: int = Field(
        default=256, ge=1, le=65_536, description="Batches on their way at most; the server may allow fewer."
    )
    retry_s: float = Field(default=0.5, gt=0, description="Seconds before the first new attempt; doubled each time.")
    retry_most_s: float = Field(default=30.0, gt=0, description="Seconds between two attempts at most.")
    timeout_s: float = Field(
        default=20.0, gt=0, description="Seconds without any answer after which the server is gone."
    )
    report_s: float = Field(default=10.0, gt=0, description="Seconds between two reports of the agent's counters.")
    answers: bool = Field(
        default=True,
        description="Answer what the server asks of what stays on this machine: packets of a flow, where they are kept.",
    )
    flush_s: float = Field(
        default=3.0, ge=0, description="Seconds that stopping waits for the spool to empty; the rest stays in it."
    )

    @field_validator("server")
    @classmethod
    def _server(cls, value: str) -> str:
        host, port = host_and_port(value, PORT)
        if not port:
            raise ValueError(f"{value!r} has port 0; give the port that the server listens on")
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.tls or self.tls_ca is not None or self.tls_cert is not None
