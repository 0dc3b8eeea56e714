"""The contracts of engines and of services."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_packets.plugin import metaflow_engines, metaflow_services
from packets_of_shop import shop_blocks

from metaflow_core.api import PacketBlock
from metaflow_core.testing import EngineContract, ServiceContract


class TestKeeper(EngineContract):
    factory = next(iter(metaflow_engines()))

    def blocks(self) -> Sequence[PacketBlock]:
        return shop_blocks()


class TestService(ServiceContract):
    factory = next(iter(metaflow_services()))
