"""The messages of ``agent.proto`` and the call that carries them."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["METHOD", "PACKAGE", "PROTOCOL", "QUESTIONS", "SERVICE", "messages"]

PROTOCOL = 1
"""Version of the protocol that this package speaks."""

PACKAGE = "metaflow.agent.v1"
SERVICE = f"{PACKAGE}.Ingest"
METHOD = f"/{SERVICE}/Send"
QUESTIONS = f"/{SERVICE}/Questions"


@cache
def messages() -> dict[str, Any]:
    """Message classes by name, made from the compiled description in a pool of their own."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    from metaflow_link.wire.descriptor import DESCRIPTOR

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTOR).file:
        pool.Add(file)
    found = pool.FindFileByName("agent.proto").message_types_by_name
    return {name: message_factory.GetMessageClass(each) for name, each in found.items()}
