"""One message out of an agent's call."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import Counters
from metaflow_link.server.trust import Aborted
from metaflow_link.wire.messages import messages

__all__ = ["read"]


async def read(call: Any, kind: str, counters: Counters) -> Any:
    """The next message of a kind (``Frame``, ``Reply``); None at the end of the call.

    :raises Aborted: what came is none; it is counted.
    """
    from google.protobuf.message import DecodeError

    from metaflow_link.grpcio import grpc

    data = await call.read()
    if data is grpc.aio.EOF:
        return None
    try:
        return messages()[kind].FromString(data)
    except DecodeError as error:
        counters.add("refused", reason="malformed", unit="frames")
        raise Aborted("INVALID_ARGUMENT", f"a {kind.lower()} that is none: {error}") from None
