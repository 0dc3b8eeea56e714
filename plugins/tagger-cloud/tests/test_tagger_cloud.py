"""The tagger by its contract, against AWS' API of moto, metadata services over real HTTP, and fakes of the other SDKs' clients."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_tagger_cloud.asking import Asking, Failed
from metaflow_tagger_cloud.clouds import aws as aws_module
from metaflow_tagger_cloud.clouds.aliyun import AliyunCloud
from metaflow_tagger_cloud.clouds.azure import AzureCloud
from metaflow_tagger_cloud.clouds.azure import _denies as azure_denies
from metaflow_tagger_cloud.clouds.gcp import GcpCloud
from metaflow_tagger_cloud.clouds.openstack import OpenstackCloud
from metaflow_tagger_cloud.config import Aliyun, Aws, Azure, CloudConfig, Gcp, Metadata, Openstack
from metaflow_tagger_cloud.metadata import MetadataService
from metaflow_tagger_cloud.plugin import metaflow_taggers
from metaflow_tagger_cloud.resources import Resource, addresses, networks, resource
from metaflow_tagger_cloud.tagger import CloudTagger
from metaflow_tagger_cloud.world import World

from metaflow_core.api import Kind, RecordBatch, SystemClock
from metaflow_core.testing import build_context
from metaflow_core.testing.contracts import TaggerContract

_SPEC = importlib.util.spec_from_file_location("clouds_doubles", Path(__file__).with_name("clouds_doubles.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
doubles = importlib.util.module_from_spec(_SPEC)
sys.modules["clouds_doubles"] = doubles
_SPEC.loader.exec_module(doubles)
Thing = doubles.Thing

KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "example"}


class TestContract(TaggerContract):
    factory = next(iter(metaflow_taggers()))
    options = {"metadata": {"provider": "gcp", "url": "http://127.0.0.1:9"}}


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    pytest.importorskip("boto3", reason="boto3 is not installed")
    pytest.importorskip("moto.server", reason="moto's server is not installed (moto, flask, flask-cors)")
    with doubles.moto() as url:
        yield url


def client(api: str, service: str, region: str = "eu-west-1") -> Any:
    import boto3

    return boto3.client(
        service,
        region_name=region,
        endpoint_url=api,
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )


def tags(kind: str, **more: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": text} for key, text in more.items()]}]


@pytest.fixture(scope="module")
def shop(api: str) -> dict[str, Any]:
    """A VPC with a subnet, two hosts, a NAT gateway and a load balancer; a second region with the same addresses."""
    ec2 = client(api, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=tags("vpc", Name="shop"))["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.20.{number}.0/24",
            AvailabilityZone=f"eu-west-1{zone}",
            TagSpecifications=tags("subnet", Name=f"front-{zone}"),
        )["Subnet"]["SubnetId"]
        for number, zone in ((1, "a"), (2, "b"))
    ]
    made = ec2.run_instances(
        ImageId="ami-12345678",
        MinCount=2,
        MaxCount=2,
        SubnetId=subnets[0],
        TagSpecifications=tags("instance", Name="web", team="shop", **{"<b>": "'\"\\"}),
    )["Instances"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])[
        "NatGateway"
    ]
    found = ec2.describe_nat_gateways(NatGatewayIds=[nat["NatGatewayId"]])["NatGateways"][0]["NatGatewayAddresses"][0]
    elb = client(api, "elbv2")
    elb.create_load_balancer(Name="front", Subnets=subnets, Tags=[{"Key": "tier", "Value": "edge"}])
    return {
        "vpc": vpc,
        "hosts": [each["PrivateIpAddress"] for each in made],
        "ids": [each["InstanceId"] for each in made],
        "nat": found["PublicIp"],
        "nat_private": found["PrivateIp"],
    }


@asynccontextmanager
async def started(
    tmp_path: Path, reports: list[tuple[str, str]] | None = None, **options: Any
) -> AsyncIterator[CloudTagger]:
    context = build_context(Kind.TAGGER, "cloud", clock=SystemClock(), data_dir=tmp_path / "data", reports=reports)
    made = CloudTagger(context, CloudConfig.model_validate({"settle_s": 0.05, "interval_s": 1, **options}))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def row(made: CloudTagger, server: str, at: datetime | None = None) -> dict[str, Any]:
    """The tags of the server's end, numbers with a dictionary as names."""
    data = pa.record_batch(
        {
            "end_time": pa.array([at or datetime.now(UTC)], pa.timestamp("us", "UTC")),
            "ip4_0": pa.array([0], pa.uint32()),
            "ip4_1": pa.array([int(ip_address(server))], pa.uint32()),
            "is_ipv4": [True],
        }
    )
    tagged = made.tag(RecordBatch("flow_log.l7_flow_log", data)).data.to_pylist()[0]
    names = made.dictionaries()
    kinds = {
        "region": "region_id",
        "az": "az_id",
        "vpc": "l3_epc_id",
        "subnet": "subnet_id",
        "device": "auto_instance_id",
    }
    out: dict[str, Any] = {
        kind: names.get(kind, {}).get(tagged.get(f"{column}_1", 0), "") for kind, column in kinds.items()
    }
    out["type"] = tagged.get("auto_instance_type_1")
    out["cloud.tag"] = json.loads(names.get("cloud_tag", {}).get(tagged.get("l3_device_id_1", 0), "{}"))
    return out


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


async def test_aws(api: str, shop: dict[str, Any], tmp_path: Path) -> None:
    reports: list[tuple[str, str]] = []
    account = {"regions": ["eu-west-1"], "endpoint_url": api, **KEYS}
    async with started(tmp_path, reports, aws=[account], resolve=False, vpcs=["shop"]) as made:
        await until(lambda: row(made, shop["hosts"][0])["device"] == "web", "the account")
        assert row(made, shop["hosts"][0]) == {
            "region": "eu-west-1",
            "az": "eu-west-1a",
            "vpc": "shop",
            "subnet": "front-a",
            "device": "web",
            "type": 1,
            "cloud.tag": {"Name": "web", "team": "shop", "<b>": "'\"\\"},
        }
        beside = row(made, "10.20.2.200")
        assert (beside["subnet"], beside["az"], beside["vpc"], beside["device"]) == (
            "front-b",
            "eu-west-1b",
            "shop",
            "",
        )
        for address in (shop["nat"], shop["nat_private"]):
            assert row(made, address)["type"] == 16, "both sides of a NAT gateway are the gateway"
        before = datetime.now(UTC)
        client(api, "ec2").terminate_instances(InstanceIds=[shop["ids"][1]])
        await until(lambda: row(made, shop["hosts"][1])["device"] == "", "the end of a host")
        assert row(made, shop["hosts"][1], at=before)["device"] == "web", "rows of its time keep it"


async def test_aws_regions_and_what_is_not_known(api: str, tmp_path: Path) -> None:
    asking = Asking(aws_module._denies, lambda reason: None, timeout_s=5, resolve=False)
    cloud = aws_module.connect(Aws(regions=["*"], endpoint_url=api, **KEYS), lambda denies: asking)  # type: ignore[arg-type]
    assert {"eu-west-1", "us-east-1"} <= set(cloud.parts())
    reports: list[tuple[str, str]] = []
    account = {"regions": ["eu-west-1"], "endpoint_url": "http://127.0.0.1:9", **KEYS}
    async with started(
        tmp_path, reports, aws=[account], metadata={"provider": "gcp", "url": "http://127.0.0.1:9"}
    ) as made:
        await until(lambda: bool(reports) and "metadata/self" in reports[-1][1], "the report")
        assert reports[-1][0] == "degraded"
        assert row(made, "10.0.0.1")["device"] == ""


def denying(*calls: str) -> Any:
    """A client of boto3 that says no to some calls."""

    class Denied(Exception):
        response = {"Error": {"Code": "UnauthorizedOperation"}}

    class Pages:
        def __init__(self, call: str) -> None:
            self.call = call

        def paginate(self, **more: Any) -> Any:
            if self.call in calls:
                raise Denied
            keys = ("Vpcs", "Subnets", "Reservations", "NatGateways", "NetworkInterfaces", "LoadBalancers")
            page: dict[str, Any] = {
                key: [] for key in (*keys, "LoadBalancerDescriptions", "DBInstances", "CacheClusters")
            }
            if self.call == "describe_subnets":
                page["Subnets"] = [
                    {"SubnetId": "s", "VpcId": "v", "CidrBlock": "10.0.0.0/24"},
                    {"CidrBlock": "10.0.1.0/24"},
                    None,
                    {"SubnetId": "t", "VpcId": "v", "CidrBlock": "nonsense"},
                ]
            if self.call == "describe_db_instances":
                page["DBInstances"] = [
                    {"DBInstanceArn": "a", "DBInstanceIdentifier": "orders", "Endpoint": {"Address": "orders.rds"}},
                    {"DBInstanceArn": "b", "DBInstanceIdentifier": "gone", "Endpoint": {"Address": "gone.rds"}},
                ]
            if self.call == "describe_cache_clusters":
                node = {"Endpoint": {"Address": "cache.rds", "Port": 6379}}
                page["CacheClusters"] = [{"CacheClusterId": "c", "Engine": "redis", "CacheNodes": [node]}]
            if self.call == "describe_network_interfaces":
                page["NetworkInterfaces"] = [{"Description": "ELB app/front/1", "PrivateIpAddress": "10.0.0.77"}]
            if self.call == "describe_load_balancers":
                arn = "arn:aws:elasticloadbalancing:eu:1:loadbalancer/app/front/1"
                page["LoadBalancers"] = [{"LoadBalancerArn": arn, "LoadBalancerName": "front", "VpcId": "v"}]
            return [page]

    return Thing(
        get_paginator=Pages,
        describe_tags=lambda **more: {"TagDescriptions": [{"Tags": [{"Key": "k", "Value": "v"}]}]},
    )


def look_up(name: str) -> list[str]:
    found = {"orders.rds": ["10.0.0.50"], "cache.rds": ["10.0.0.60"], "orders.database.net": ["10.5.0.50"]}
    if name not in found:
        raise OSError("no such name")
    return found[name]


def asking(denies: Any = lambda error: False) -> tuple[Asking, list[str]]:
    dropped: list[str] = []
    return Asking(denies, dropped.append, timeout_s=5, resolve=True, look_up=look_up), dropped


def by_kind(found: list[Resource]) -> dict[str, list[tuple[str, list[str]]]]:
    out: dict[str, list[tuple[str, list[str]]]] = {}
    for each in found:
        out.setdefault(each.kind, []).append((each.name, [str(net) for net in each.networks]))
    return out


def test_aws_missing_rights_names_and_nonsense() -> None:
    ask, dropped = asking(aws_module._denies)
    cloud = aws_module.AwsCloud(
        Thing(client=lambda service, **more: denying("describe_instances", "describe_vpcs"), region_name="eu"),
        Aws(),
        ask,
    )
    pytest.importorskip("botocore", reason="boto3 is not installed")
    found = cloud.read("eu")
    assert by_kind(found) == {
        "subnet": [("s", ["10.0.0.0/24"])],
        "lb": [("front", ["10.0.0.77/32"])],
        "rds": [("orders", ["10.0.0.50/32"])],
        "redis": [("c", ["10.0.0.60/32"])],
    }
    assert ask.denied == {"ec2:DescribeInstances", "ec2:DescribeVpcs"}
    assert sorted(dropped) == ["malformed_resource", "malformed_resource", "name_not_found"]
    throttled = aws_module.AwsCloud(Thing(client=lambda service, **more: Thing()), Aws(regions=["eu"]), ask)
    with pytest.raises(Failed, match="ec2:DescribeVpcs: TypeError"):
        throttled.read("eu")


def test_a_missing_sdk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Failed, match=r"pip install 'metaflow-tagger-cloud\[aws\]'"):
        aws_module.connect(Aws(), lambda denies: asking()[0])


def test_azure_by_fakes_of_its_clients() -> None:
    root = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
    net_id = f"{root}/virtualNetworks/shop"
    subnet = Thing(id=f"{net_id}/subnets/front", name="front", address_prefix="10.5.0.0/24")
    vm = Thing(
        id="/vm/1", name="web", location="westeurope", zones=["2"], tags={"team": "shop"}, host=Thing(id="/hosts/h7")
    )
    ip = Thing(private_ip_address="10.5.0.4", public_ip_address=Thing(id="/PIP/1"), subnet=subnet)
    front = Thing(private_ip_address="10.5.0.9", subnet=subnet)

    class Forbidden(Exception):
        status_code = 403

    def refuse() -> Any:
        raise Forbidden

    clients = {
        "network": Thing(
            public_ip_addresses=Thing(
                list_all=lambda: [
                    Thing(id="/pip/1", ip_address="203.0.113.9"),
                    Thing(id="/pip/2", ip_address="203.0.113.10"),
                ]
            ),
            virtual_networks=Thing(
                list_all=lambda: [Thing(id=net_id, name="shop", location="westeurope", subnets=[subnet])]
            ),
            network_interfaces=Thing(
                list_all=lambda: [Thing(name="nic", ip_configurations=[ip], virtual_machine=Thing(id="/VM/1"))]
            ),
            load_balancers=Thing(list_all=lambda: [Thing(id="/lb", name="edge", frontend_ip_configurations=[front])]),
            application_gateways=Thing(list_all=list),
            nat_gateways=Thing(
                list_all=lambda: [Thing(id="/nat", name="out", public_ip_addresses=[Thing(id="/pip/2")])]
            ),
        ),
        "compute": Thing(virtual_machines=Thing(list_all=lambda: [vm])),
        "redis": Thing(redis=Thing(list_by_subscription=refuse)),
        "sql": Thing(
            servers=Thing(
                list=lambda: [Thing(id="/sql", name="orders", fully_qualified_domain_name="orders.database.net")]
            )
        ),
    }
    ask, _ = asking(azure_denies)
    found = AzureCloud(lambda name, part: clients[name], Azure(subscriptions=["s"]), ask).read("s")
    assert by_kind(found) == {
        "subnet": [("front", ["10.5.0.0/24"])],
        "chost": [("web", ["10.5.0.4/32", "203.0.113.9/32"])],
        "lb": [("edge", ["10.5.0.9/32"])],
        "natgw": [("out", ["203.0.113.10/32"])],
        "rds": [("orders", ["10.5.0.50/32"])],
    }
    host = next(each for each in found if each.kind == "chost")
    assert (host.vpc, host.zone, host.host, host.tags) == ("shop", "westeurope-2", "h7", {"team": "shop"})
    assert {each.vpc_id for each in found if each.vpc == "shop"} == {net_id.lower()}
    assert ask.denied == {"Microsoft.Cache/redis/read"}


def test_gcp_by_fakes_of_its_clients() -> None:
    net = "https://www.googleapis.com/compute/v1/projects/p/global/networks/shop"
    zone = "https://x/zones/europe-west1-b"
    interface = Thing(network_i_p="10.6.0.4", network=net, access_configs=[Thing(nat_i_p="203.0.113.20")])
    scopes = {
        "SubnetworksClient": Thing(
            subnetworks=[
                Thing(self_link="sub", name="front", ip_cidr_range="10.6.0.0/24", region="r/europe-west1", network=net)
            ]
        ),
        "InstancesClient": Thing(
            instances=[Thing(id=7, name="web", zone=zone, network_interfaces=[interface], labels={"a": "b"})]
        ),
        "ForwardingRulesClient": Thing(
            forwarding_rules=[Thing(self_link="fr", name="edge", I_p_address="203.0.113.21", region="r/europe-west1")]
        ),
        "AddressesClient": Thing(
            addresses=[
                Thing(
                    self_link="ad",
                    name="nat-auto-1",
                    address="203.0.113.22",
                    purpose="NAT_AUTO",
                    users=["x/routers/out"],
                ),
                Thing(self_link="other", name="mine", address="203.0.113.23", users=["x/instances/web"]),
            ]
        ),
    }
    sql = Thing(
        list=lambda project: Thing(
            execute=lambda: {"items": [{"name": "orders", "ipAddresses": [{"ipAddress": "10.6.9.1"}]}]}
        ),
        list_next=lambda request, answer: None,
    )
    clients = {
        name: Thing(aggregated_list=lambda project, scope=scope: [("zones/x", scope), ("zones/y", Thing())])
        for name, scope in scopes.items()
    }
    redis = Thing(
        name="projects/p/locations/l/instances/cache",
        host="10.6.8.1",
        location_id="europe-west1-b",
        authorized_network="projects/p/global/networks/shop",
    )
    clients |= {"redis": Thing(list_instances=lambda parent: [redis]), "sql": Thing(instances=lambda: sql)}
    ask, dropped = asking()
    found = GcpCloud(clients.__getitem__, Gcp(projects=["p"]), ask).read("p")
    assert by_kind(found) == {
        "subnet": [("front", ["10.6.0.0/24"])],
        "chost": [("web", ["10.6.0.4/32", "203.0.113.20/32"])],
        "lb": [("edge", ["203.0.113.21/32"])],
        "natgw": [("out", ["203.0.113.22/32"])],
        "redis": [("cache", ["10.6.8.1/32"])],
        "rds": [("orders", ["10.6.9.1/32"])],
    }
    assert dropped == []
    host = next(each for each in found if each.kind == "chost")
    assert (host.region, host.zone, host.vpc) == ("europe-west1", "europe-west1-b", "shop")


def test_aliyun_by_documented_answers() -> None:
    pages = {
        "DescribeVpcs": {"Vpcs": {"Vpc": [{"VpcId": "vpc-1", "VpcName": "shop"}]}},
        "DescribeVSwitches": {
            "VSwitches": {
                "VSwitch": [
                    {"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.7.0.0/24", "ZoneId": "cn-hangzhou-b"}
                ]
            }
        },
        "DescribeNatGateways": {
            "NatGateways": {
                "NatGateway": [
                    {"NatGatewayId": "ngw-1", "VpcId": "vpc-1", "IpLists": {"IpList": [{"IpAddress": "203.0.113.30"}]}}
                ]
            }
        },
        "DescribeLoadBalancers": {
            "LoadBalancers": {
                "LoadBalancer": [
                    {"LoadBalancerId": "lb-1", "LoadBalancerName": "edge", "Address": "10.7.0.9", "VpcId": "vpc-1"}
                ]
            }
        },
        "DescribeDBInstances": {
            "Items": {"DBInstance": [{"DBInstanceId": "rm-1", "DBInstanceDescription": "orders", "VpcId": "vpc-1"}]}
        },
        "DescribeDBInstanceNetInfo": {"DBInstanceNetInfos": {"DBInstanceNetInfo": [{"IPAddress": "10.7.0.50"}]}},
    }
    hosts = [
        {
            "InstanceId": f"i-{n}",
            "InstanceName": f"web-{n}",
            "ZoneId": "cn-hangzhou-b",
            "VpcAttributes": {"VpcId": "vpc-1", "PrivateIpAddress": {"IpAddress": [f"10.7.0.{n + 100}"]}},
            "Tags": {"Tag": [{"TagKey": "team", "TagValue": "shop"}]},
        }
        for n in range(60)
    ]

    def call(service: str, name: str, region: str, fields: dict[str, Any]) -> dict[str, Any]:
        if service == "ecs":
            begin = (fields["page_number"] - 1) * fields["page_size"]
            return {"Instances": {"Instance": hosts[begin : begin + fields["page_size"]]}}
        if service == "r-kvstore":
            return {
                "Instances": {
                    "KVStoreInstance": [{"InstanceId": "r-1", "InstanceName": "cache", "PrivateIp": "10.7.0.60"}]
                }
            }
        return pages[name]

    ask, dropped = asking()
    found = AliyunCloud(call, Aliyun(regions=["cn-hangzhou"], access_key_id="k", access_key_secret="s"), ask).read(
        "cn-hangzhou"
    )  # type: ignore[arg-type]
    kinds = by_kind(found)
    assert len(kinds.pop("chost")) == 60
    assert kinds == {
        "subnet": [("vsw-1", ["10.7.0.0/24"])],
        "natgw": [("ngw-1", ["203.0.113.30/32"])],
        "lb": [("edge", ["10.7.0.9/32"])],
        "rds": [("orders", ["10.7.0.50/32"])],
        "redis": [("cache", ["10.7.0.60/32"])],
    }
    host = next(each for each in found if each.kind == "chost")
    assert (host.vpc, host.zone, host.tags, dropped) == ("shop", "cn-hangzhou-b", {"team": "shop"}, [])


def test_openstack_by_fakes_of_its_proxies() -> None:
    def port(identity: str, device: str, address: str, owner: str = "compute:nova") -> Any:
        return Thing(
            id=identity, device_id=device, network_id="n1", fixed_ips=[{"ip_address": address}], device_owner=owner
        )

    cloud = Thing(
        has_service=lambda name: True,
        network=Thing(
            networks=lambda: [Thing(id="n1", name="shop")],
            subnets=lambda: [Thing(id="sub", name="front", cidr="10.8.0.0/24", network_id="n1")],
            ips=lambda: [Thing(port_id="p1", floating_ip_address="203.0.113.40")],
            ports=lambda: [
                port("p1", "vm", "10.8.0.4"),
                port("p2", "r", "10.8.0.1"),
                port("p3", "d", "10.8.0.2", "network:dhcp"),
            ],
            routers=lambda: [Thing(id="r", name="gate")],
        ),
        compute=Thing(
            servers=lambda details: [
                Thing(id="vm", name="web", availability_zone="z1", metadata={"team": "shop"}, compute_host="h1")
            ]
        ),
        load_balancer=Thing(
            load_balancers=lambda: [Thing(id="lb", name="edge", vip_address="10.8.0.9", vip_network_id="n1")]
        ),
    )
    ask, dropped = asking()
    found = OpenstackCloud(lambda region: cloud, Openstack(), ask).read("RegionOne")
    assert by_kind(found) == {
        "subnet": [("front", ["10.8.0.0/24"])],
        "chost": [("web", ["10.8.0.4/32", "203.0.113.40/32"])],
        "router": [("gate", ["10.8.0.1/32"])],
        "lb": [("edge", ["10.8.0.9/32"])],
        "dhcpgw": [("dhcp-shop", ["10.8.0.2/32"])],
    }
    assert dropped == []


AWS_SELF = {
    "/latest/dynamic/instance-identity/document": '{"instanceId":"i-1","region":"eu-west-1","availabilityZone":"eu-west-1a","privateIp":"10.9.0.4"}',
    "/latest/meta-data/network/interfaces/macs/": "06:00:00:00:00:01/",
    "/latest/meta-data/network/interfaces/macs/06%3A00%3A00%3A00%3A00%3A01/vpc-id": "vpc-1",
    "/latest/meta-data/network/interfaces/macs/06%3A00%3A00%3A00%3A00%3A01/subnet-id": "subnet-1",
    "/latest/meta-data/network/interfaces/macs/06%3A00%3A00%3A00%3A00%3A01/subnet-ipv4-cidr-block": "10.9.0.0/24",
    "/latest/meta-data/tags/instance": "Name\nteam",
    "/latest/meta-data/tags/instance/Name": "web",
    "/latest/meta-data/tags/instance/team": "shop",
}
AZURE_SELF = {
    "/metadata/instance?api-version=2021-02-01": json.dumps(
        {
            "compute": {
                "vmId": "v",
                "name": "web",
                "location": "westeurope",
                "zone": "1",
                "tagsList": [{"name": "team", "value": "shop"}],
            },
            "network": {
                "interface": [
                    {
                        "ipv4": {
                            "ipAddress": [{"privateIpAddress": "10.9.0.4", "publicIpAddress": ""}],
                            "subnet": [{"address": "10.9.0.0", "prefix": "24"}],
                        }
                    }
                ]
            },
        }
    )
}
GCP_SELF = {
    "/computeMetadata/v1/instance/?recursive=true": json.dumps(
        {
            "id": 1,
            "name": "web",
            "zone": "projects/1/zones/eu-west1-b",
            "networkInterfaces": [
                {
                    "ip": "10.9.0.4",
                    "network": "projects/1/networks/shop",
                    "accessConfigs": [{"externalIp": "203.0.113.50"}],
                }
            ],
            "tags": ["team"],
        }
    )
}
ALIYUN_SELF = {
    f"/latest/meta-data/{key}": text
    for key, text in {
        "region-id": "cn-hangzhou",
        "zone-id": "cn-hangzhou-b",
        "vpc-id": "vpc-1",
        "private-ipv4": "10.9.0.4",
        "instance-id": "i-1",
        "instance/instance-name": "web",
        "vswitch-id": "vsw-1",
        "vswitch-cidr-block": "10.9.0.0/24",
        "tags/instance/": "team",
        "tags/instance/team": "shop",
    }.items()
}
OPENSTACK_SELF = {
    "/openstack/latest/meta_data.json": '{"uuid":"u","name":"web","availability_zone":"nova","meta":{"team":"shop"}}',
    "/openstack/latest/network_data.json": '{"networks":[{"ip_address":"10.9.0.4"}]}',
}


@pytest.mark.parametrize("provider", ["auto", "named"])
@pytest.mark.parametrize(
    ("cloud", "answers", "token", "needs"),
    [
        ("aws", AWS_SELF, "X-aws-ec2-metadata-token", {}),
        ("azure", AZURE_SELF, "", {"Metadata": "true"}),
        ("gcp", GCP_SELF, "", {"Metadata-Flavor": "Google"}),
        ("aliyun", ALIYUN_SELF, "X-aliyun-ecs-metadata-token", {}),
        ("openstack", OPENSTACK_SELF, "", {}),
    ],
)
def test_the_own_machine(cloud: str, answers: dict[str, str], token: str, needs: dict[str, str], provider: str) -> None:
    double = doubles.MetadataDouble(answers, token, needs)
    try:
        options = Metadata(provider="auto" if provider == "auto" else cloud, url=double.url, timeout_s=10)  # type: ignore[arg-type]
        found = MetadataService(options, lambda denies: asking()[0]).read("self")
        host = next(each for each in found if each.kind == "chost")
        assert (host.name, str(host.networks[0])) == ("web", "10.9.0.4/32")
        assert host.tags.keys() >= {"team"}
        assert {str(each.networks[0]) for each in found if each.kind == "subnet"} <= {"10.9.0.0/24"}
    finally:
        double.stop()


async def test_metadata_on_rows_and_nonsense(tmp_path: Path) -> None:
    double = doubles.MetadataDouble(dict(GCP_SELF))
    reports: list[tuple[str, str]] = []
    try:
        async with started(tmp_path, reports, metadata={"provider": "gcp", "url": double.url}) as made:
            assert row(made, "10.9.0.4")["region"] == "eu-west1"
            for text in ("<html>", "[]", "{", '{"id":1}'):
                reports.clear()
                double.answers["/computeMetadata/v1/instance/?recursive=true"] = text
                await until(lambda: bool(reports) and reports[-1][0] == "degraded", text)
                assert row(made, "10.9.0.4")["device"] == "web", "the last known stays"
                double.answers |= GCP_SELF
                await until(lambda: reports[-1][0] == "running", "the return")
    finally:
        double.stop()


def _made(kind: str, identity: str, vpc: str, *nets: str, **more: Any) -> Resource:
    made = resource(kind, identity, identity, networks(*nets), vpc_id=vpc, vpc=vpc.upper(), **more)
    assert made is not None
    return made


def test_vpcs_that_overlap_are_nobody_s_unless_one_is_named() -> None:
    both = [
        _made("chost", "a", "one", "10.0.0.5"),
        _made("chost", "b", "two", "10.0.0.5"),
        _made("subnet", "s", "one", "10.0.0.0/24"),
        _made("subnet", "t", "two", "10.0.0.0/24"),
        _made("chost", "c", "one", "10.0.0.6"),
        # the same machine by its metadata, which tell no VPC
        _made("chost", "self", "", "10.0.0.6"),
    ]
    world = World(CloudConfig(metadata=Metadata()))
    world.replace("x", both, 1, 2)
    assert {entry.name for entry in world.entries(3)} == {"c", "self"}
    assert world.ambiguous == ["ONE and TWO"]
    named = World(CloudConfig(metadata=Metadata(), vpcs=["TWO"]))
    named.replace("x", both, 1, 2)
    assert {entry.name for entry in named.entries(3)} == {"b", "t"}
    assert named.ambiguous == []


def test_hostile_texts_are_bounded() -> None:
    made = resource(
        "chost",
        "i\x00",
        "\x1b[2J" + "n" * 9999,
        addresses("10.0.0.1", "nonsense", None, "0.0.0.0/0"),
        tags={"k\n": "v" * 99_999, "": "x"},
    )
    assert made is not None
    assert made.name.startswith("?[2J")
    assert len(made.name) == 256
    assert list(made.tags) == ["k?"]
    assert [str(net) for net in made.networks] == ["10.0.0.1/32"]
    assert networks("0.0.0.0/0", "::/0", "224.0.0.0/4", "10.0.0.7/24") == networks("10.0.0.0/24")


def test_no_cloud_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="give aws, azure, gcp, aliyun, openstack or metadata"):
        CloudConfig()
