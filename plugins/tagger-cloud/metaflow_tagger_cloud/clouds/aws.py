"""Amazon Web Services through boto3, which pages and repeats what is throttled (API references of EC2, ELB, RDS and ElastiCache)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Failed, load
from metaflow_tagger_cloud.config import Aws
from metaflow_tagger_cloud.resources import Resource, addresses, networks, pairs

__all__ = ["AwsCloud", "connect"]

_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError")


def connect(options: Aws, asking: Callable[..., Asking]) -> AwsCloud:
    """The account. :raises Failed: boto3 is missing, or finds no credentials."""
    boto3 = load("boto3", "aws")
    try:
        session = boto3.Session(
            profile_name=options.profile or None,
            aws_access_key_id=options.access_key_id or None,
            aws_secret_access_key=options.secret_access_key.get_secret_value() if options.secret_access_key else None,
        )
        return AwsCloud(session, options, asking(_denies))
    except Exception as error:
        raise Failed(f"boto3: {error}") from error


def _denies(error: BaseException) -> bool:
    answer = getattr(error, "response", None)
    return isinstance(answer, dict) and (answer.get("Error") or {}).get("Code") in _DENIED


class AwsCloud:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`."""

    def __init__(self, session: Any, options: Aws, asking: Asking) -> None:
        self._session = session
        self._options = options
        self.asking = asking
        self._assumed: Any = None

    def parts(self) -> list[str]:
        """Regions."""
        regions = list(self._options.regions)
        if regions == ["*"]:
            ec2 = self._client("ec2", self._session.region_name or "us-east-1")
            found = self.asking.each("ec2:DescribeRegions", lambda: ec2.describe_regions()["Regions"])
            return sorted(str(each["RegionName"]) for each in found)
        regions = regions or [self._session.region_name or ""]
        if not regions[0]:
            raise Failed("no region is known; give the option regions, or AWS_DEFAULT_REGION")
        return regions

    def _client(self, service: str, region: str) -> Any:
        config = load("botocore.config", "aws").Config(
            retries={"mode": "adaptive", "max_attempts": 8},
            connect_timeout=self.asking.timeout_s,
            read_timeout=self.asking.timeout_s,
        )
        more = {"region_name": region, "config": config, "endpoint_url": self._options.endpoint_url or None}
        keys: dict[str, str] = {}
        if self._options.role_arn and service != "sts":
            # lives for an hour; a reading does not
            answer = self._client("sts", region).assume_role(RoleArn=self._options.role_arn, RoleSessionName="metaflow")
            of = answer["Credentials"]
            keys = {
                "aws_access_key_id": of["AccessKeyId"],
                "aws_secret_access_key": of["SecretAccessKey"],
                "aws_session_token": of["SessionToken"],
            }
        return self._session.client(service, **more, **keys)

    def _pages(self, client: Any, call: str, key: str, **more: Any) -> Callable[[], Iterable[dict[str, Any]]]:
        def items() -> Iterable[dict[str, Any]]:
            for page in client.get_paginator(call).paginate(**more):
                yield from page[key]

        return items

    def read(self, part: str) -> list[Resource]:
        """A region."""
        try:
            ec2 = self._client("ec2", part)
            elb, old, rds, cache = (self._client(name, part) for name in ("elbv2", "elb", "rds", "elasticache"))
        except Exception as error:
            raise Failed(f"{part}: {error}") from error
        ask = self.asking
        vpcs = {
            str(each["VpcId"]): pairs(each.get("Tags")).get("Name", "")
            for each in ask.each("ec2:DescribeVpcs", self._pages(ec2, "describe_vpcs", "Vpcs"))
        }

        def place(vpc: object, zone: object = "") -> dict[str, Any]:
            return {"region": part, "zone": zone, "vpc_id": vpc, "vpc": vpcs.get(str(vpc), "")}

        def subnet(item: dict[str, Any]) -> list[Resource]:
            tags = pairs(item.get("Tags"))
            six = [each.get("Ipv6CidrBlock") for each in item.get("Ipv6CidrBlockAssociationSet") or []]
            return ask.make(
                "subnet",
                item["SubnetId"],
                tags.get("Name"),
                networks(item.get("CidrBlock"), *six),
                tags=tags,
                **place(item["VpcId"], item.get("AvailabilityZone")),
            )

        def host(item: dict[str, Any]) -> list[Resource]:
            tags = pairs(item.get("Tags"))
            told = [item.get("PrivateIpAddress"), item.get("PublicIpAddress")]
            for interface in item.get("NetworkInterfaces") or []:
                told += _interface(interface)
            at = item.get("Placement") or {}
            return ask.make(
                "chost",
                item["InstanceId"],
                tags.get("Name"),
                addresses(*told),
                tags=tags,
                host=at.get("HostId"),
                **place(item.get("VpcId"), at.get("AvailabilityZone")),
            )

        def gateway(item: dict[str, Any]) -> list[Resource]:
            tags = pairs(item.get("Tags"))
            told = [
                each.get(key) for each in item.get("NatGatewayAddresses") or [] for key in ("PrivateIp", "PublicIp")
            ]
            if item.get("State") not in ("pending", "available", None):
                return []
            return ask.make(
                "natgw", item["NatGatewayId"], tags.get("Name"), addresses(*told), tags=tags, **place(item["VpcId"])
            )

        def hosts() -> Iterable[dict[str, Any]]:
            for reservation in self._pages(ec2, "describe_instances", "Reservations")():
                yield from (e for e in reservation["Instances"] if (e.get("State") or {}).get("Name") != "terminated")

        out = ask.all("ec2:DescribeSubnets", self._pages(ec2, "describe_subnets", "Subnets"), subnet)
        out += ask.all("ec2:DescribeInstances", hosts, host)
        out += ask.all("ec2:DescribeNatGateways", self._pages(ec2, "describe_nat_gateways", "NatGateways"), gateway)
        interfaces = list(
            ask.each(
                "ec2:DescribeNetworkInterfaces", self._pages(ec2, "describe_network_interfaces", "NetworkInterfaces")
            )
        )
        out += self._balancers(elb, old, interfaces, place)
        out += self._databases(rds, cache, place)
        return out

    def _balancers(self, elb: Any, old: Any, interfaces: list[dict[str, Any]], place: Any) -> list[Resource]:
        """The API tells no addresses; the interfaces that were made for them carry their name in their description."""
        ask = self.asking
        owned: dict[str, list[object]] = {}
        for each in interfaces:
            description = str(each.get("Description") or "")
            if description.startswith("ELB "):
                owned.setdefault(description.removeprefix("ELB "), []).extend(_interface(each))

        def new(item: dict[str, Any]) -> list[Resource]:
            key = str(item["LoadBalancerArn"]).partition(":loadbalancer/")[2]
            static = [
                a.get(k)
                for z in item.get("AvailabilityZones") or []
                for a in z.get("LoadBalancerAddresses") or []
                for k in ("IpAddress", "PrivateIPv4Address")
            ]
            found = addresses(*owned.get(key, []), *static) or ask.named(item.get("DNSName"))
            tags: dict[str, str] = {}
            for each in ask.each(
                "elasticloadbalancing:DescribeTags",
                lambda: elb.describe_tags(ResourceArns=[item["LoadBalancerArn"]])["TagDescriptions"],
            ):
                tags |= pairs(each.get("Tags"))
            return ask.make(
                "lb", item["LoadBalancerArn"], item["LoadBalancerName"], found, tags=tags, **place(item.get("VpcId"))
            )

        def classic(item: dict[str, Any]) -> list[Resource]:
            name = str(item["LoadBalancerName"])
            found = addresses(*owned.get(name, [])) or ask.named(item.get("DNSName"))
            return ask.make("lb", f"classic/{name}", name, found, **place(item.get("VPCId")))

        call = "elasticloadbalancing:DescribeLoadBalancers"
        out = ask.all(call, self._pages(elb, "describe_load_balancers", "LoadBalancers"), new)
        return out + ask.all(
            f"{call} (classic)", self._pages(old, "describe_load_balancers", "LoadBalancerDescriptions"), classic
        )

    def _databases(self, rds: Any, cache: Any, place: Any) -> list[Resource]:
        """Their endpoints are names only."""
        ask = self.asking

        def database(item: dict[str, Any]) -> list[Resource]:
            found = ask.named((item.get("Endpoint") or {}).get("Address"))
            vpc = (item.get("DBSubnetGroup") or {}).get("VpcId")
            at = place(vpc, item.get("AvailabilityZone"))
            tags = pairs(item.get("TagList"))
            return ask.make("rds", item["DBInstanceArn"], item["DBInstanceIdentifier"], found, tags=tags, **at)

        def redis(item: dict[str, Any]) -> list[Resource]:
            if item.get("Engine") not in ("redis", "valkey"):
                return []
            names = [(node.get("Endpoint") or {}).get("Address") for node in item.get("CacheNodes") or []]
            found = [each for name in names for each in ask.named(name)]
            at = place("", item.get("PreferredAvailabilityZone"))
            name = item.get("ReplicationGroupId") or item["CacheClusterId"]
            return ask.make("redis", item.get("ARN") or item["CacheClusterId"], name, found, **at)

        out = ask.all("rds:DescribeDBInstances", self._pages(rds, "describe_db_instances", "DBInstances"), database)
        pages = self._pages(cache, "describe_cache_clusters", "CacheClusters", ShowCacheNodeInfo=True)
        return out + ask.all("elasticache:DescribeCacheClusters", pages, redis)


def _interface(item: dict[str, Any]) -> list[object]:
    """All addresses of a network interface."""
    out: list[object] = [each.get("Ipv6Address") for each in item.get("Ipv6Addresses") or []]
    out += [item.get("PrivateIpAddress"), (item.get("Association") or {}).get("PublicIp")]
    for each in item.get("PrivateIpAddresses") or []:
        out += [each.get("PrivateIpAddress"), (each.get("Association") or {}).get("PublicIp")]
    return out
