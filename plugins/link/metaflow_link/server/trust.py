"""Who may talk: every call of an agent proves it before anything is read from it."""

from __future__ import annotations

import hmac
from typing import Any

from metaflow_core.api import Counters
from metaflow_link.server.config import ReceiverConfig

__all__ = ["Aborted", "authorise"]


class Aborted(Exception):
    """The call ends with a gRPC status. :ivar code: its name."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def authorise(config: ReceiverConfig, counters: Counters, call: Any) -> None:
    """Pass whoever gives the token, where one is wanted; certificates were looked at by TLS.

    :raises Aborted: it does not.
    """
    if config.token is None:
        return
    given = next((value for name, value in call.invocation_metadata() or () if name == "authorization"), "")
    given = given if isinstance(given, str) else ""
    wanted = f"Bearer {config.token.get_secret_value()}"
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        counters.add("refused", reason="token", unit="connections")
        text = "its token is not this server's" if given else "this server wants a token, and it has none"
        raise Aborted("UNAUTHENTICATED", f"{text} (mflow agent --token-file FILE)")
