"""How the server is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metaflow_core.errors import StartError
from metaflow_link.agent.config import SenderConfig

__all__ = ["Dialer"]

# A frame may hold a batch that did not get smaller by packing, and what stands around it.
_SLACK = 1 << 20


class Dialer:
    """Opens channels.

    :raises StartError: a certificate cannot be read.
    """

    def __init__(self, config: SenderConfig) -> None:
        self._config = config
        self._credentials = self._read() if config.is_encrypted else None

    def _read(self) -> Any:
        from metaflow_link.grpcio import grpc

        config = self._config
        return grpc.ssl_channel_credentials(
            root_certificates=_content(config.tls_ca, "tls_ca"),
            private_key=_content(config.tls_key, "tls_key"),
            certificate_chain=_content(config.tls_cert, "tls_cert"),
        )

    def channel(self) -> Any:
        """A new channel; close it."""
        from metaflow_link.grpcio import grpc

        config = self._config
        options: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", 16 << 20),
            # what is known of a server that was down belongs to this attempt alone
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
            # a server that vanished without a word is noticed
            ("grpc.keepalive_time_ms", int(config.timeout_s * 500)),
            ("grpc.keepalive_timeout_ms", int(config.timeout_s * 500)),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if self._credentials is None:
            return grpc.aio.insecure_channel(config.server, options)
        if config.tls_name is not None:
            options.append(("grpc.ssl_target_name_override", config.tls_name))
        return grpc.aio.secure_channel(config.server, self._credentials, options)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        token = self._config.token
        return () if token is None else (("authorization", f"Bearer {token.get_secret_value()}"),)


def _content(path: Path | None, option: str) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"the file {path} (option {option}) cannot be read: {error.strerror}") from None
