"""Microsoft Azure through azure-mgmt-network, -compute, -redis and -sql (their API references; lists page by themselves)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Failed, load
from metaflow_tagger_cloud.config import Azure
from metaflow_tagger_cloud.resources import Resource, addresses, networks, pairs

__all__ = ["AzureCloud", "connect"]


def connect(options: Azure, asking: Callable[..., Asking]) -> AzureCloud:
    """The account. :raises Failed: the SDK is missing, or finds no credentials."""
    identity = load("azure.identity", "azure")
    modules = {
        "network": load("azure.mgmt.network", "azure").NetworkManagementClient,
        "compute": load("azure.mgmt.compute", "azure").ComputeManagementClient,
        "redis": load("azure.mgmt.redis", "azure").RedisManagementClient,
        "sql": load("azure.mgmt.sql", "azure").SqlManagementClient,
    }
    try:
        if options.client_secret is not None:
            secret = options.client_secret.get_secret_value()
            credential = identity.ClientSecretCredential(options.tenant_id, options.client_id, secret)
        else:
            credential = identity.DefaultAzureCredential()
    except Exception as error:
        raise Failed(f"azure-identity: {error}") from error
    return AzureCloud(lambda name, part: modules[name](credential, part), options, asking(_denies))


def _denies(error: BaseException) -> bool:
    return getattr(error, "status_code", None) == 403


def _last(identity: object) -> str:
    """``.../virtualNetworks/NAME/subnets/NAME`` to its last name."""
    return str(identity or "").rstrip("/").rpartition("/")[2]


def _vpc(subnet: object) -> dict[str, str]:
    """The virtual network that a subnet's id names."""
    text = str(getattr(subnet, "id", "") or "").partition("/subnets/")[0]
    return {"vpc_id": text.lower(), "vpc": _last(text)}


class AzureCloud:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`.

    :param client: makes the client of ``network``, ``compute``, ``redis`` or ``sql`` for a subscription.
    """

    def __init__(self, client: Callable[[str, str], Any], options: Azure, asking: Asking) -> None:
        self._client = client
        self._options = options
        self.asking = asking

    def parts(self) -> list[str]:
        """Subscriptions."""
        return list(self._options.subscriptions)

    def read(self, part: str) -> list[Resource]:
        """A subscription."""
        ask = self.asking
        net, compute, redis, sql = (self._client(name, part) for name in ("network", "compute", "redis", "sql"))
        public = {
            str(each.id).lower(): each.ip_address
            for each in ask.each("Microsoft.Network/publicIPAddresses/read", net.public_ip_addresses.list_all)
        }
        machines = {
            str(each.id).lower(): each
            for each in ask.each("Microsoft.Compute/virtualMachines/read", compute.virtual_machines.list_all)
        }

        def outside(reference: Any) -> object:
            return public.get(str(getattr(reference, "id", "")).lower())

        def subnets(item: Any) -> list[Resource]:
            out: list[Resource] = []
            for each in item.subnets or []:
                blocks = [each.address_prefix, *(each.address_prefixes or [])]
                place = {"region": item.location, "vpc_id": str(item.id).lower(), "vpc": item.name}
                out += ask.make("subnet", each.id, each.name, networks(*blocks), **place)
            return out

        def interface(item: Any) -> list[Resource]:
            told = [
                a for c in item.ip_configurations or [] for a in (c.private_ip_address, outside(c.public_ip_address))
            ]
            machine = machines.get(str(getattr(item.virtual_machine, "id", "")).lower())
            if machine is None or not item.ip_configurations:
                return []
            zone = (machine.zones or [""])[0]
            return ask.make(
                "chost",
                # one for each interface: they may be in several networks
                f"{machine.id}/{item.name}",
                machine.name,
                addresses(*told),
                region=machine.location,
                zone=f"{machine.location}-{zone}" if zone else "",
                host=_last(getattr(machine.host, "id", "")),
                tags=pairs(machine.tags or {}),
                **_vpc(item.ip_configurations[0].subnet),
            )

        def balancer(item: Any) -> list[Resource]:
            fronts = item.frontend_ip_configurations or []
            told = [a for c in fronts for a in (c.private_ip_address, outside(c.public_ip_address))]
            place = _vpc(next((c.subnet for c in fronts if c.subnet), None))
            return ask.make(
                "lb", item.id, item.name, addresses(*told), region=item.location, tags=pairs(item.tags or {}), **place
            )

        def gateway(item: Any) -> list[Resource]:
            told = [outside(each) for each in item.public_ip_addresses or []]
            place = _vpc(next(iter(item.subnets or []), None))
            return ask.make(
                "natgw",
                item.id,
                item.name,
                addresses(*told),
                region=item.location,
                tags=pairs(item.tags or {}),
                **place,
            )

        def named(kind: str, key: str) -> Callable[[Any], list[Resource]]:
            return lambda item: ask.make(
                kind,
                item.id,
                item.name,
                ask.named(getattr(item, key)),
                region=item.location,
                tags=pairs(item.tags or {}),
            )

        network = "Microsoft.Network"
        out = ask.all(f"{network}/virtualNetworks/read", net.virtual_networks.list_all, subnets)
        out += ask.all(f"{network}/networkInterfaces/read", net.network_interfaces.list_all, interface)
        out += ask.all(f"{network}/loadBalancers/read", net.load_balancers.list_all, balancer)
        out += ask.all(f"{network}/applicationGateways/read", net.application_gateways.list_all, balancer)
        out += ask.all(f"{network}/natGateways/read", net.nat_gateways.list_all, gateway)
        out += ask.all("Microsoft.Cache/redis/read", redis.redis.list_by_subscription, named("redis", "host_name"))
        return out + ask.all(
            "Microsoft.Sql/servers/read", sql.servers.list, named("rds", "fully_qualified_domain_name")
        )
