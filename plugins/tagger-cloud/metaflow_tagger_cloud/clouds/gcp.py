"""Google Cloud through google-cloud-compute, google-cloud-redis and the discovery client of Cloud SQL (their API references)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Failed, load
from metaflow_tagger_cloud.config import Gcp
from metaflow_tagger_cloud.resources import Resource, addresses, networks, pairs

__all__ = ["GcpCloud", "connect"]


def connect(options: Gcp, asking: Callable[..., Asking]) -> GcpCloud:
    """The account. :raises Failed: the SDK is missing, or the file of the credentials cannot be read."""
    compute = load("google.cloud.compute_v1", "gcp")
    redis = load("google.cloud.redis_v1", "gcp")
    discovery = load("googleapiclient.discovery", "gcp")
    credentials = None
    if options.credentials_file is not None:
        maker = load("google.oauth2.service_account", "gcp").Credentials
        scope = "https://www.googleapis.com/auth/cloud-platform"
        try:
            credentials = maker.from_service_account_file(str(options.credentials_file), scopes=[scope])
        except (OSError, ValueError) as error:
            raise Failed(f"the option credentials_file: {error}") from error

    def client(name: str) -> Any:
        if name == "sql":
            return discovery.build("sqladmin", "v1", credentials=credentials, cache_discovery=False)
        made = redis.CloudRedisClient if name == "redis" else getattr(compute, name)
        return made(credentials=credentials)

    return GcpCloud(client, options, asking(_denies))


def _denies(error: BaseException) -> bool:
    if type(error).__name__ in ("Forbidden", "PermissionDenied"):
        return True
    return getattr(getattr(error, "resp", None), "status", None) in (403, "403")


def _last(link: object) -> str:
    """``https://.../zones/NAME`` to its last name."""
    return str(link or "").rstrip("/").rpartition("/")[2]


class GcpCloud:
    """See :class:`metaflow_tagger_cloud.asking.Cloud`.

    :param client: makes the client of a class of ``compute_v1`` by its name, of ``redis`` or ``sql``.
    """

    def __init__(self, client: Callable[[str], Any], options: Gcp, asking: Asking) -> None:
        self._client = client
        self._options = options
        self.asking = asking

    def parts(self) -> list[str]:
        """Projects."""
        return list(self._options.projects)

    def read(self, part: str) -> list[Resource]:
        """A project."""
        ask = self.asking

        def scoped(name: str, key: str) -> Callable[[], Iterable[Any]]:
            """All of a kind in all zones or regions."""

            def items() -> Iterator[Any]:
                for _, scope in self._client(name).aggregated_list(project=part):
                    yield from getattr(scope, key) or []

            return items

        def net(link: object) -> dict[str, str]:
            # a shared VPC belongs to another project
            text = str(link or "")
            return {"vpc_id": text.partition("/projects/")[2] or text, "vpc": _last(link)}

        def subnet(item: Any) -> list[Resource]:
            blocks = [item.ip_cidr_range, *(each.ip_cidr_range for each in item.secondary_ip_ranges or [])]
            place = {"region": _last(item.region), **net(item.network)}
            return ask.make("subnet", item.self_link, item.name, networks(*blocks), **place)

        def host(item: Any) -> list[Resource]:
            zone, out = _last(item.zone), []
            for place, each in enumerate(item.network_interfaces or []):
                told = [each.network_i_p, each.ipv6_address, *(a.nat_i_p for a in each.access_configs or [])]
                out += ask.make(
                    "chost",
                    f"{item.id}/{place}",
                    item.name,
                    addresses(*told),
                    region=zone.rpartition("-")[0],
                    zone=zone,
                    tags=pairs(dict(item.labels or {})),
                    **net(each.network),
                )
            return out

        def rule(item: Any) -> list[Resource]:
            place = {"region": _last(item.region), "vpc_id": "", **(net(item.network) if item.network else {})}
            return ask.make(
                "lb",
                item.self_link,
                item.name,
                addresses(item.I_p_address),
                tags=pairs(dict(item.labels or {})),
                **place,
            )

        def nat(item: Any) -> list[Resource]:
            if item.purpose != "NAT_AUTO" and not any("/routers/" in str(user) for user in item.users or []):
                return []
            name = next((_last(user) for user in item.users or []), item.name)
            return ask.make("natgw", item.self_link, name, addresses(item.address), region=_last(item.region))

        def redis(item: Any) -> list[Resource]:
            place = {"region": str(item.location_id).rpartition("-")[0], "zone": item.location_id}
            tags = pairs(dict(item.labels or {}))
            return ask.make(
                "redis",
                item.name,
                _last(item.name),
                addresses(item.host),
                tags=tags,
                **place,
                **net(item.authorized_network),
            )

        def database(item: dict[str, Any]) -> list[Resource]:
            told = [each.get("ipAddress") for each in item.get("ipAddresses") or []]
            settings = item.get("settings") or {}
            return ask.make(
                "rds",
                item.get("connectionName") or item["name"],
                item["name"],
                addresses(*told),
                region=item.get("region"),
                zone=item.get("gceZone"),
                tags=pairs(settings.get("userLabels") or {}),
                **net((settings.get("ipConfiguration") or {}).get("privateNetwork")),
            )

        def databases() -> Iterator[dict[str, Any]]:
            api = self._client("sql").instances()
            request = api.list(project=part)
            while request is not None:
                answer = request.execute()
                yield from answer.get("items") or []
                request = api.list_next(request, answer)

        out = ask.all("compute.subnetworks.list", scoped("SubnetworksClient", "subnetworks"), subnet)
        out += ask.all("compute.instances.list", scoped("InstancesClient", "instances"), host)
        out += ask.all("compute.forwardingRules.list", scoped("ForwardingRulesClient", "forwarding_rules"), rule)
        out += ask.all("compute.addresses.list", scoped("AddressesClient", "addresses"), nat)
        everywhere = f"projects/{part}/locations/-"
        out += ask.all("redis.instances.list", lambda: self._client("redis").list_instances(parent=everywhere), redis)
        return out + ask.all("cloudsql.instances.list", databases, database)
