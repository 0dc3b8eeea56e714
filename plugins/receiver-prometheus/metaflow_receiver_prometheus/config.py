"""Options of the receiver."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from metaflow_core.api import Config, Field, SecretStr, is_loopback, model_validator

__all__ = ["PrometheusConfig"]


class PrometheusConfig(Config):
    """Where it listens, whom it trusts, how much it takes at once."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; any but loopback needs a token.")
    port: int = Field(default=9201, ge=0, le=65_535, description="Port to listen on; 0 for any free one.")
    path: str = Field(default="/api/v1/write", pattern=r"^/[\w/.-]*$", description="Path that senders post to.")
    token: SecretStr | None = Field(
        default=None, description="Secret that senders must give as 'Authorization: Bearer ...'; null for none."
    )
    tls_cert: Path | None = Field(default=None, description="File with the certificate (PEM); null for plain HTTP.")
    tls_key: Path | None = Field(default=None, description="File with the certificate's key (PEM).")
    max_body_bytes: int = Field(default=16 << 20, ge=1024, description="Bytes of a request as sent; more is refused.")
    max_message_bytes: int = Field(
        default=128 << 20, ge=1024, description="Bytes of a request unpacked; more is refused."
    )
    max_requests: int = Field(
        default=32, ge=1, le=1024, description="Requests worked on at once; others are told to retry."
    )
    max_labels: int = Field(default=100, ge=1, description="Labels of one series; a series with more is refused.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is reachable from outside, so a token is needed: set token, or listen on 127.0.0.1"
            )
        return self
