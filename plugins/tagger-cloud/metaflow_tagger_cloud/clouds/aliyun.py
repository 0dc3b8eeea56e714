"""Alibaba Cloud through its SDK; answers are taken as the JSON of the API references of ECS, VPC, SLB, RDS and Redis (R-KVStore)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Failed, load
from metaflow_tagger_cloud.config import Aliyun
from metaflow_tagger_cloud.resources import Resource, addresses, networks, pairs

__all__ = ["AliyunCloud", "connect"]

_MODULES = {
    "ecs": "alibabacloud_ecs20140526",
    "vpc": "alibabacloud_vpc20160428",
    "slb": "alibabacloud_slb20140515",
    "rds": "alibabacloud_rds20140815",
    "r-kvstore": "alibabacloud_r_kvstore20150101",
}
_PAGE = 50


def connect(options: Aliyun, asking: Callable[..., Asking]) -> AliyunCloud:
    """The account. :raises Failed: the SDK is missing."""
    clients = {name: load(f"{module}.client", "aliyun").Client for name, module in _MODULES.items()}
    models = {name: load(f"{module}.models", "aliyun") for name, module in _MODULES.items()}
    config = load("alibabacloud_tea_openapi.models", "aliyun").Config
    made: dict[tuple[str, str], Any] = {}

    def call(service: str, name: str, region: str, fields: dict[str, Any]) -> dict[str, Any]:
        client = made.get((service, region))
        if client is None:
            secret = options.access_key_secret.get_secret_value()
            client = clients[service](
                config(access_key_id=options.access_key_id, access_key_secret=secret, region_id=region)
            )
            made[(service, region)] = client
        request = getattr(models[service], f"{name}Request")(**fields)
        method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name.replace("DB", "Db"))
        method = {
            "describe_db_instances": "describe_dbinstances",
            "describe_db_instance_net_info": "describe_dbinstance_net_info",
        }.get(method.strip("_"), method.strip("_"))
        document: dict[str, Any] = getattr(client, method)(request).body.to_map()
        return document

    return AliyunCloud(call, options, asking(_denies))


def _denies(error: BaseException) -> bool:
    code = str(getattr(error, "code", ""))
    return code.startswith(("Forbidden", "NoPermission")) or code == "UnauthorizedOperation"


class AliyunCloud:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`.

    :param call: asks a service: its name, that of the operation, the region, the fields of the request; gives the JSON of the answer.
    """

    def __init__(
        self, call: Callable[[str, str, str, dict[str, Any]], dict[str, Any]], options: Aliyun, asking: Asking
    ) -> None:
        self._call = call
        self._options = options
        self.asking = asking

    def parts(self) -> list[str]:
        """Regions."""
        return list(self._options.regions)

    def _pages(
        self, service: str, name: str, region: str, outer: str, inner: str
    ) -> Callable[[], Iterator[dict[str, Any]]]:
        def items() -> Iterator[dict[str, Any]]:
            for page in range(1, 10_000):
                fields = {"region_id": region, "page_number": page, "page_size": _PAGE}
                document = self._call(service, name, region, fields)
                found = (document.get(outer) or {}).get(inner)
                if not isinstance(found, list):
                    raise Failed(f"{service}:{name}: expected a list {outer}.{inner}, found {str(document)[:60]}")
                yield from found
                if len(found) < _PAGE:
                    return

        return items

    def read(self, part: str) -> list[Resource]:
        """A region."""
        ask = self.asking
        vpcs = {
            str(each["VpcId"]): str(each.get("VpcName") or "")
            for each in ask.each("vpc:DescribeVpcs", self._pages("vpc", "DescribeVpcs", part, "Vpcs", "Vpc"))
        }

        def place(item: dict[str, Any], vpc: object) -> dict[str, Any]:
            tags = pairs((item.get("Tags") or {}).get("Tag"), "Key", "Value") or pairs(
                (item.get("Tags") or {}).get("Tag"), "TagKey", "TagValue"
            )
            zone = item.get("ZoneId") or item.get("MasterZoneId")
            return {"region": part, "zone": zone, "vpc_id": vpc, "vpc": vpcs.get(str(vpc), ""), "tags": tags}

        def subnet(item: dict[str, Any]) -> list[Resource]:
            blocks = networks(item.get("CidrBlock"), item.get("Ipv6CidrBlock"))
            return ask.make("subnet", item["VSwitchId"], item.get("VSwitchName"), blocks, **place(item, item["VpcId"]))

        def host(item: dict[str, Any]) -> list[Resource]:
            inside = item.get("VpcAttributes") or {}
            told = [
                *((inside.get("PrivateIpAddress") or {}).get("IpAddress") or []),
                *((item.get("PublicIpAddress") or {}).get("IpAddress") or []),
                *((item.get("InnerIpAddress") or {}).get("IpAddress") or []),
                (item.get("EipAddress") or {}).get("IpAddress"),
            ]
            interfaces = (item.get("NetworkInterfaces") or {}).get("NetworkInterface") or []
            told += [each.get("PrimaryIpAddress") for each in interfaces]
            at = place(item, inside.get("VpcId"))
            dedicated = (item.get("DedicatedHostAttribute") or {}).get("DedicatedHostName")
            return ask.make(
                "chost", item["InstanceId"], item.get("InstanceName"), addresses(*told), host=dedicated, **at
            )

        def gateway(item: dict[str, Any]) -> list[Resource]:
            lists = (item.get("IpLists") or {}).get("IpList") or []
            told = [each.get(key) for each in lists for key in ("IpAddress", "PrivateIpAddress")]
            private = (item.get("NatGatewayPrivateInfo") or {}).get("PrivateIpAddress")
            return ask.make(
                "natgw",
                item["NatGatewayId"],
                item.get("Name"),
                addresses(private, *told),
                **place(item, item.get("VpcId")),
            )

        def balancer(item: dict[str, Any]) -> list[Resource]:
            at = place(item, item.get("VpcId"))
            return ask.make(
                "lb", item["LoadBalancerId"], item.get("LoadBalancerName"), addresses(item.get("Address")), **at
            )

        def database(item: dict[str, Any]) -> list[Resource]:
            identity = item["DBInstanceId"]
            found = ask.each("rds:DescribeDBInstanceNetInfo", lambda: self._net_info(part, identity))
            told = [each.get("IPAddress") for each in found]
            return ask.make(
                "rds", identity, item.get("DBInstanceDescription"), addresses(*told), **place(item, item.get("VpcId"))
            )

        def redis(item: dict[str, Any]) -> list[Resource]:
            found = addresses(item.get("PrivateIp")) or ask.named(item.get("ConnectionDomain"))
            return ask.make(
                "redis", item["InstanceId"], item.get("InstanceName"), found, **place(item, item.get("VpcId"))
            )

        plan = [
            ("vpc", "DescribeVSwitches", "VSwitches", "VSwitch", subnet),
            ("ecs", "DescribeInstances", "Instances", "Instance", host),
            ("vpc", "DescribeNatGateways", "NatGateways", "NatGateway", gateway),
            ("slb", "DescribeLoadBalancers", "LoadBalancers", "LoadBalancer", balancer),
            ("rds", "DescribeDBInstances", "Items", "DBInstance", database),
            ("r-kvstore", "DescribeInstances", "Instances", "KVStoreInstance", redis),
        ]
        out: list[Resource] = []
        for service, name, outer, inner, make in plan:
            out += ask.all(f"{service}:{name}", self._pages(service, name, part, outer, inner), make)
        return out

    def _net_info(self, part: str, identity: str) -> list[dict[str, Any]]:
        answer = self._call("rds", "DescribeDBInstanceNetInfo", part, {"dbinstance_id": identity})
        return list((answer.get("DBInstanceNetInfos") or {}).get("DBInstanceNetInfo") or [])
