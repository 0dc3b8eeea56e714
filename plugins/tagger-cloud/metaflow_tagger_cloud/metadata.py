"""The instance metadata service: what a cloud tells a machine of itself, without credentials, at a link-local address.

AWS IMDSv2 (a token first), Azure IMDS 2021-02-01, Google's computeMetadata/v1, Alibaba Cloud's (a token first), OpenStack's meta_data.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from metaflow_core.tagging import Network
from metaflow_tagger_cloud.asking import Asking, Failed
from metaflow_tagger_cloud.config import Metadata
from metaflow_tagger_cloud.resources import Resource, addresses, networks, resource

__all__ = ["MetadataService"]

_URLS = {"aliyun": "http://100.100.100.200"}
_URL = "http://169.254.169.254"
_MAX_BYTES = 1 << 20
_MAX_TAGS = 100


class MetadataService:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`; its one part is this machine."""

    def __init__(self, options: Metadata, asking: Callable[..., Asking]) -> None:
        self._options = options
        self.asking = asking(lambda error: False)
        self._pool = urllib3.PoolManager(retries=False)
        self._known: str = "" if options.provider == "auto" else options.provider

    def parts(self) -> list[str]:
        """This machine."""
        return ["self"]

    def read(self, part: str) -> list[Resource]:
        """The machine and its subnets. :raises Failed: no metadata service answers as documented."""
        problems: list[str] = []
        for name in [self._known] if self._known else _READERS:
            try:
                found = _READERS[name](self, self._options.url.rstrip("/") or _URLS.get(name, _URL))
            except Failed as error:
                problems.append(f"{name}: {error}")
            except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
                problems.append(f"{name}: the answer is not as documented: {type(error).__name__} {error}")
            else:
                self._known = name
                return [each for each in found if each is not None]
        raise Failed(f"no instance metadata service answers; is this a machine of a cloud? {'; '.join(problems)[:400]}")

    def text(
        self, url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", missing: bool = False
    ) -> str:
        """An answer; empty where there is none and ``missing`` allows it. :raises Failed: it cannot be had."""
        try:
            timeout = urllib3.Timeout(total=self._options.timeout_s)
            answer = self._pool.request(
                method, url, headers=dict(headers or {}), timeout=timeout, redirect=False, preload_content=False
            )
            with answer:
                held = answer.read(_MAX_BYTES + 1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Failed(f"{url}: {type(error).__name__}") from error
        if answer.status == 404 and missing:
            return ""
        if answer.status != 200 or len(held) > _MAX_BYTES:
            raise Failed(f"{url}: status {answer.status}, {len(held)} bytes")
        return held.decode("utf-8", "replace")

    def document(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """An answer in JSON. :raises Failed: it is none."""
        try:
            return json.loads(self.text(url, headers))
        except (ValueError, RecursionError) as error:
            raise Failed(f"{url}: expected JSON: {error}") from error


def _machine(name: object, identity: object, nets: list[Network], **more: Any) -> Resource | None:
    return resource("chost", identity, name, nets, **more)


def _aws(ask: MetadataService, url: str) -> list[Resource | None]:
    token = ask.text(f"{url}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}, method="PUT")
    headers = {"X-aws-ec2-metadata-token": token}

    def get(path: str) -> str:
        return ask.text(f"{url}/latest/meta-data/{path}", headers, missing=True)

    identity = ask.document(f"{url}/latest/dynamic/instance-identity/document", headers)
    told: list[object] = [identity.get("privateIp"), get("public-ipv4")]
    subnets: list[Resource | None] = []
    vpc = ""
    place = {"region": identity.get("region"), "zone": identity.get("availabilityZone")}
    for mac in get("network/interfaces/macs/").split():
        at = f"network/interfaces/macs/{quote(mac.strip('/'))}"
        vpc = vpc or get(f"{at}/vpc-id")
        told += [*get(f"{at}/local-ipv4s").split(), *get(f"{at}/public-ipv4s").split(), *get(f"{at}/ipv6s").split()]
        name, blocks = get(f"{at}/subnet-id"), get(f"{at}/subnet-ipv4-cidr-block").split()
        if name:
            subnets.append(resource("subnet", name, name, networks(*blocks), vpc_id=vpc, **place))
    # the tags of the instance are there only where its owner allowed it
    keys = get("tags/instance").split("\n")[:_MAX_TAGS]
    tags = {key: get(f"tags/instance/{quote(key)}") for key in keys if key}
    me = _machine(tags.get("Name"), identity["instanceId"], addresses(*told), vpc_id=vpc, tags=tags, **place)
    return [me, *subnets]


def _azure(ask: MetadataService, url: str) -> list[Resource | None]:
    found = ask.document(f"{url}/metadata/instance?api-version=2021-02-01", {"Metadata": "true"})
    of = found["compute"]
    told: list[object] = []
    subnets: list[Resource | None] = []
    place = {"region": of.get("location"), "zone": of.get("zone")}
    for interface in (found.get("network") or {}).get("interface") or []:
        for family in ("ipv4", "ipv6"):
            part = interface.get(family) or {}
            for each in part.get("ipAddress") or []:
                told += [each.get("privateIpAddress"), each.get("publicIpAddress")]
            for each in part.get("subnet") or []:
                block = f"{each['address']}/{each['prefix']}"
                subnets.append(resource("subnet", block, block, networks(block), **place))
    tags = {str(each["name"]): str(each.get("value") or "") for each in of.get("tagsList") or []}
    return [_machine(of.get("name"), of["vmId"], addresses(*told), tags=tags, **place), *subnets]


def _gcp(ask: MetadataService, url: str) -> list[Resource | None]:
    found = ask.document(f"{url}/computeMetadata/v1/instance/?recursive=true", {"Metadata-Flavor": "Google"})
    zone = str(found["zone"]).rpartition("/")[2]
    told: list[object] = []
    vpc = ""
    for interface in found.get("networkInterfaces") or []:
        vpc = vpc or str(interface.get("network") or "").rpartition("/")[2]
        told += [interface.get("ip"), *(each.get("externalIp") for each in interface.get("accessConfigs") or [])]
    tags = {str(each): "" for each in found.get("tags") or []}
    place = {"region": zone.rpartition("-")[0], "zone": zone, "vpc_id": vpc}
    return [_machine(found.get("name"), found["id"], addresses(*told), tags=tags, **place)]


def _aliyun(ask: MetadataService, url: str) -> list[Resource | None]:
    token = ask.text(f"{url}/latest/api/token", {"X-aliyun-ecs-metadata-token-ttl-seconds": "300"}, method="PUT")
    headers = {"X-aliyun-ecs-metadata-token": token}

    def get(path: str) -> str:
        return ask.text(f"{url}/latest/meta-data/{path}", headers, missing=True)

    place = {"region": get("region-id"), "zone": get("zone-id"), "vpc_id": get("vpc-id")}
    told = addresses(get("private-ipv4"), get("public-ipv4"), get("eipv4"))
    tags = {key: get(f"tags/instance/{quote(key)}") for key in get("tags/instance/").split("\n")[:_MAX_TAGS] if key}
    switch = get("vswitch-id")
    subnet = resource("subnet", switch, switch, networks(get("vswitch-cidr-block")), **place) if switch else None
    return [_machine(get("instance/instance-name"), get("instance-id"), told, tags=tags, **place), subnet]


def _openstack(ask: MetadataService, url: str) -> list[Resource | None]:
    found = ask.document(f"{url}/openstack/latest/meta_data.json")
    links = ask.document(f"{url}/openstack/latest/network_data.json")
    told = [each.get("ip_address") for each in links.get("networks") or []]
    # version 1 of the data of EC2, which OpenStack serves beside its own
    told += [ask.text(f"{url}/latest/meta-data/{key}", missing=True).strip() for key in ("local-ipv4", "public-ipv4")]
    place = {"zone": found.get("availability_zone")}
    tags = {str(key): str(value) for key, value in (found.get("meta") or {}).items()}
    return [_machine(found.get("name"), found["uuid"], addresses(*told), tags=tags, **place)]


# OpenStack answers a part of what AWS asks for, so that it comes before it.
_READERS: Mapping[str, Callable[[MetadataService, str], list[Resource | None]]] = {
    "gcp": _gcp,
    "azure": _azure,
    "openstack": _openstack,
    "aws": _aws,
    "aliyun": _aliyun,
}
