"""Options of the server's half."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from metaflow_core.api import Config, Field, SecretStr, field_validator, host_and_port, is_loopback, model_validator
from metaflow_link.port import PORT

__all__ = ["AgentTagsConfig", "AgentsConfig", "ReceiverConfig"]


class ReceiverConfig(Config):
    """Where agents are listened for, whom it trusts, how much it takes at once."""

    listen: str = Field(
        default=f"127.0.0.1:{PORT}",
        description="Address and port; port 0 takes a free one. Any address but loopback needs a token or tls_client_ca.",
    )
    token: SecretStr | None = Field(default=None, description="The token that agents must give; null for none.")
    tls_cert: Path | None = Field(default=None, description="PEM file with the server's certificate and its chain.")
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's key.")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM file with the certificates that agents' ones must be signed by (mTLS)."
    )
    max_agents: int = Field(default=1000, ge=1, description="Agents connected at once.")
    max_batch_bytes: int = Field(default=64 << 20, ge=1 << 16, description="Bytes of a batch unpacked.")
    window_batches: int = Field(default=256, ge=1, le=65_536, description="Unanswered batches of one agent at most.")
    window_bytes: int = Field(
        default=16 << 20, ge=1 << 16, description="Bytes of one agent's unanswered batches, packed."
    )
    max_pending_bytes: int = Field(
        default=512 << 20,
        ge=1 << 20,
        description="Bytes of all agents' batches being worked on, unpacked; beyond that nothing is read from them.",
    )
    hello_s: float = Field(default=10.0, gt=0, description="Seconds in which who connects must say who it is.")
    remembered_agents: int = Field(default=10_000, ge=1, description="Agents kept in the list; the longest gone leave.")

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host_and_port(value, PORT)
        return value

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("an empty token protects nothing; give one, or null for none")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or neither")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError(
                "tls_client_ca needs tls_cert and tls_key: agents are asked for certificates over TLS only"
            )
        if self.token is None and self.tls_client_ca is None and not is_loopback(host_and_port(self.listen, PORT)[0]):
            raise ValueError(
                f"{self.listen} is reachable from outside, so agents must prove who they are: set token (or tls_client_ca), or "
                "listen on 127.0.0.1"
            )
        return self


class AgentsConfig(Config):
    """Nothing to set: it shows the list of every receiver of agents in the app."""


class AgentTagsConfig(Config):
    """Nothing to set: it uses what the agents of every receiver in the app report."""
