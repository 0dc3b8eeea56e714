"""Three network namespaces without names: the shop's, its customers', and between them a wire that loses packets."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

from metaflow_demo.processes import Processes

__all__ = ["CUSTOMERS", "SHOP", "Network", "make_network", "why_no_network"]

SHOP, CUSTOMERS = "10.77.0.2", "10.77.0.1"


@dataclass(frozen=True, slots=True)
class Network:
    """Processes whose namespaces these are. :ivar interfaces: what is worth watching inside the shop's."""

    shop: int
    customers: int
    interfaces: tuple[str, ...] = ("lo", "wire")


def why_no_network() -> str:
    """Why namespaces cannot be made here; empty when they can."""
    if os.geteuid():
        return "namespaces need root"
    return "ip (iproute2) is not installed" if shutil.which("ip") is None else ""


async def make_network(processes: Processes, loss: float) -> Network:
    """Make the namespaces and the wire; they are gone when the processes are.

    :param loss: percent of TCP packets that the wire loses, in either direction.
    :raises StartError: something could not be made.
    """
    python = (sys.executable, "-m", "metaflow_demo.wire")
    shop = (await processes.start("network-shop", "hold", ready="ready")).pid
    customers = (await processes.start("network-customers", "hold", ready="ready")).pid
    wire = (await processes.start("wire", *python, str(loss), ready="ready")).pid
    for holder, address, end in ((shop, SHOP, "left"), (customers, CUSTOMERS, "right")):
        for command in (
            ("ip", "link", "set", "lo", "up"),
            ("ip", "link", "add", "wire", "type", "veth", "peer", "name", end, "netns", str(wire)),
            ("ip", "addr", "add", f"{address}/24", "dev", "wire"),
            (*python, "checksums", "wire"),
            ("ip", "link", "set", "wire", "up"),
        ):
            await processes.run(*command, holder=holder)
        await processes.run("ip", "link", "set", end, "up", holder=wire)
    return Network(shop, customers)
