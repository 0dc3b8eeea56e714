"""Options of the ClickHouse interface."""

from __future__ import annotations

from pathlib import Path

from metaflow_core.api import Config, Field, SecretStr, field_validator, host_and_port, is_loopback, model_validator

__all__ = ["ClickHouseHttpConfig"]


class ClickHouseHttpConfig(Config):
    """Where it listens, whom it answers, how much at most."""

    listen: str = Field(default="127.0.0.1:8123", description="Address and port; port 0 takes a free one.")
    dialect: str = Field(default="sql", description="The dialect that checks what is asked, and asks the storage.")
    user: str = Field(default="default", description="The user that clients name, where a password is set.")
    password: SecretStr | None = Field(
        default=None, description="Password of the user; also taken as a token (Authorization: Bearer)."
    )
    allow_anonymous: bool = Field(default=False, description="Listen beyond this machine without a password.")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file of the certificate and its chain, for HTTPS."
    )
    tls_key: Path | None = Field(default=None, description="PEM file of the certificate's key.")
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="Seconds that a question may take.")
    max_rows: int = Field(default=1_000_000, ge=1, description="Rows that an answer may have.")
    max_body_bytes: int = Field(default=1 << 20, ge=1024, description="Bytes of a request's body, unpacked.")
    max_concurrent: int = Field(
        default=16, ge=1, description="Questions answered at once; more are told to come again."
    )

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host_and_port(value, 8123)
        return value

    @field_validator("password")
    @classmethod
    def _password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value():
            raise ValueError("an empty password protects nothing; give one, or null for none")
        return value

    @model_validator(mode="after")
    def _together(self) -> ClickHouseHttpConfig:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; give both or neither")
        if self.password is None and not self.allow_anonymous and not is_loopback(host_and_port(self.listen)[0]):
            raise ValueError(
                f"listening on {self.listen} lets others on the network ask; give a password, or say allow_anonymous: true"
            )
        return self
