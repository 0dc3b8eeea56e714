"""Options of the receiver."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from metaflow_core.api import Config, Field, SecretStr, is_loopback, model_validator

__all__ = ["OtlpConfig"]


class OtlpConfig(Config):
    """Where it listens, whom it trusts, how much it takes at once."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; any but loopback needs a token.")
    grpc_port: int | None = Field(
        default=4317, ge=0, le=65_535, description="Port for OTLP over gRPC; 0 for any free one, null for none."
    )
    http_port: int | None = Field(
        default=4318, ge=0, le=65_535, description="Port for OTLP over HTTP; 0 for any free one, null for none."
    )
    token: SecretStr | None = Field(
        default=None, description="Secret that senders must give as 'authorization: Bearer ...'; null for none."
    )
    tls_cert: Path | None = Field(default=None, description="File with the certificate (PEM); null for no TLS.")
    tls_key: Path | None = Field(default=None, description="File with the certificate's key (PEM).")
    max_body_bytes: int = Field(default=16 << 20, ge=1024, description="Bytes of a request as sent; more is refused.")
    max_message_bytes: int = Field(
        default=64 << 20, ge=1024, description="Bytes of a request unpacked; more is refused."
    )
    max_requests: int = Field(
        default=32, ge=1, le=1024, description="Requests worked on at once; others are told to retry."
    )
    max_attributes: int = Field(
        default=128, ge=1, le=4096, description="Attributes kept of one span or log record; further ones are counted."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        if self.grpc_port is None and self.http_port is None:
            raise ValueError("grpc_port and http_port are both null, so nothing could be received: set one of them")
        if self.grpc_port and self.grpc_port == self.http_port:
            raise ValueError(f"grpc_port and http_port are both {self.grpc_port}: each needs a port of its own")
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is reachable from outside, so a token is needed: set token, or listen on 127.0.0.1"
            )
        return self
