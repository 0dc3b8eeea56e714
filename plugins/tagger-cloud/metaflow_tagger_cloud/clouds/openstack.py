"""OpenStack through openstacksdk (its proxies of compute, network and load balancer page by themselves)."""
# ruff: noqa: PLW0108 - a proxy is looked up inside the call, so that what fails there is named

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Failed, load
from metaflow_tagger_cloud.config import Openstack
from metaflow_tagger_cloud.resources import Resource, addresses, networks, pairs

__all__ = ["OpenstackCloud", "connect"]


def connect(options: Openstack, asking: Callable[..., Asking]) -> OpenstackCloud:
    """The cloud. :raises Failed: the SDK is missing, or the cloud is not known."""
    sdk = load("openstack", "openstack")

    def open_region(region: str) -> Any:
        return sdk.connect(cloud=options.cloud or None, region_name=region or None)

    return OpenstackCloud(open_region, options, asking(_denies))


def _denies(error: BaseException) -> bool:
    return getattr(error, "status_code", None) == 403 or type(error).__name__ == "ForbiddenException"


class OpenstackCloud:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`. :param open_region: connects to a region."""

    def __init__(self, open_region: Callable[[str], Any], options: Openstack, asking: Asking) -> None:
        self._open = open_region
        self._options = options
        self.asking = asking

    def parts(self) -> list[str]:
        """Regions."""
        return list(self._options.regions) or [""]

    def read(self, part: str) -> list[Resource]:
        """A region: ports tell who has which address, floating addresses lead to them."""
        ask = self.asking
        try:
            cloud = self._open(part)
        except Exception as error:
            raise Failed(f"{type(error).__name__}: {error}") from error
        region = part or str(getattr(getattr(cloud, "config", None), "region_name", "") or "")
        nets = {
            str(each.id): str(each.name or "")
            for each in ask.each("network: list networks", lambda: cloud.network.networks())
        }
        floating: dict[str, list[str]] = {}
        for each in ask.each("network: list floating IPs", lambda: cloud.network.ips()):
            floating.setdefault(str(each.port_id), []).append(str(each.floating_ip_address))
        ports: dict[str, list[Any]] = {}
        for each in ask.each("network: list ports", lambda: cloud.network.ports()):
            ports.setdefault(str(each.device_id), []).append(each)

        def place(network: object, zone: object = "") -> dict[str, Any]:
            return {"region": region, "zone": zone, "vpc_id": network, "vpc": nets.get(str(network), "")}

        def owned(device: object) -> dict[str, list[object]]:
            """Addresses of a device, by network."""
            found: dict[str, list[object]] = {}
            for port in ports.get(str(device), []):
                told = [each.get("ip_address") for each in port.fixed_ips or []]
                found.setdefault(str(port.network_id), []).extend([*told, *floating.get(str(port.id), [])])
            return found

        def subnet(item: Any) -> list[Resource]:
            return ask.make("subnet", item.id, item.name, networks(item.cidr), **place(item.network_id))

        def devices(kind: str, item: Any, **more: Any) -> list[Resource]:
            out: list[Resource] = []
            for network, told in owned(item.id).items():
                at = place(network, more.get("zone", ""))
                tags, host = more.get("tags") or {}, more.get("host")
                out += ask.make(kind, f"{item.id}/{network}", item.name, addresses(*told), tags=tags, host=host, **at)
            return out

        def server(item: Any) -> list[Resource]:
            host = item.hypervisor_hostname or item.compute_host
            return devices("chost", item, zone=item.availability_zone, tags=pairs(dict(item.metadata or {})), host=host)

        def balancer(item: Any) -> list[Resource]:
            told = [item.vip_address, *floating.get(str(item.vip_port_id), [])]
            return ask.make("lb", item.id, item.name, addresses(*told), **place(item.vip_network_id))

        def agents() -> list[Resource]:
            """Ports of DHCP: one device for each network, without a name of its own."""
            out: list[Resource] = []
            for device, found in ports.items():
                if any(str(port.device_owner) == "network:dhcp" for port in found):
                    for network, told in owned(device).items():
                        name = f"dhcp-{nets.get(network) or network}"
                        out += ask.make("dhcpgw", f"{device}/{network}", name, addresses(*told), **place(network))
            return out

        everyone = {"all_projects": True} if self._options.all_projects else {}
        out = ask.all("network: list subnets", lambda: cloud.network.subnets(), subnet)
        out += ask.all("compute: list servers", lambda: cloud.compute.servers(details=True, **everyone), server)
        out += ask.all("network: list routers", lambda: cloud.network.routers(), lambda item: devices("router", item))
        if cloud.has_service("load-balancer"):
            out += ask.all("load-balancer: list load balancers", lambda: cloud.load_balancer.load_balancers(), balancer)
        return out + agents()
