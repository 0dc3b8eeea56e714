"""Options of the tagger."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from metaflow_core.api import Config, Field, SecretStr, model_validator

__all__ = ["Consul", "Endpoint", "Etcd", "EtcdLayout", "Eureka", "Nacos", "RegistryConfig", "Zookeeper"]


class Endpoint(Config):
    """How any registry is reached over HTTP."""

    ca_file: Path | None = Field(default=None, description="Certificates of authorities (PEM) that are believed.")
    cert_file: Path | None = Field(default=None, description="Own certificate (PEM), for registries that ask for one.")
    key_file: Path | None = Field(default=None, description="Key of the own certificate (PEM).")
    verify: bool = Field(default=True, description="Check the registry's certificate and name.")

    @model_validator(mode="after")
    def _both(self) -> Endpoint:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; give both or none")
        return self


class Consul(Endpoint):
    """HashiCorp Consul by its HTTP API."""

    urls: list[str] = Field(
        default=["http://127.0.0.1:8500"], min_length=1, description="Agents; the next one is asked where one fails."
    )
    token: SecretStr | None = Field(default=None, description="ACL token; needs service:read and node:read.")
    datacenters: list[str] = Field(
        default=[], description="Datacenters; that of the agent when empty, ['*'] for all that it knows."
    )


class Nacos(Endpoint):
    """Alibaba Nacos by its HTTP API."""

    urls: list[str] = Field(
        default=["http://127.0.0.1:8848/nacos"], min_length=1, description="Servers, with their context path."
    )
    api: Literal["v1", "v2"] = Field(default="v2", description="Version of the API: v1 for Nacos 1, v2 for Nacos 2.")
    namespaces: list[str] = Field(default=["public"], min_length=1, description="Ids of namespaces.")
    groups: list[str] = Field(default=["DEFAULT_GROUP"], min_length=1, description="Groups of services.")
    username: str = Field(default="", description="User, where Nacos asks for one.")
    password: SecretStr | None = Field(default=None, description="The user's password.")


class EtcdLayout(Config):
    """Where in etcd services stand, and how they are written."""

    prefix: str = Field(min_length=1, description="Begin of the keys, e.g. /micro/registry/.")
    format: Literal["go-micro", "kratos", "grpc", "plain"] = Field(
        description="go-micro and kratos: JSON of the framework; grpc: SERVICE/ADDRESS to JSON with Addr; plain: SERVICE/ID to ADDRESS:PORT."
    )


class Etcd(Endpoint):
    """etcd 3 by the JSON gateway of its API."""

    urls: list[str] = Field(default=["http://127.0.0.1:2379"], min_length=1, description="Members of the cluster.")
    layouts: list[EtcdLayout] = Field(
        default=[
            EtcdLayout(prefix="/micro/registry/", format="go-micro"),
            EtcdLayout(prefix="/microservices/", format="kratos"),
        ],
        min_length=1,
        description="Where services stand.",
    )
    username: str = Field(default="", description="User, where etcd asks for one; it needs to read the prefixes.")
    password: SecretStr | None = Field(default=None, description="The user's password.")


class Zookeeper(Endpoint):
    """Apache ZooKeeper, as Dubbo, Curator and Spring Cloud use it."""

    hosts: list[str] = Field(default=["127.0.0.1:2181"], min_length=1, description="Servers, HOST:PORT.")
    dubbo: list[str] = Field(default=["/dubbo"], description="Roots of Dubbo: ROOT/INTERFACE/providers/URL.")
    curator: list[str] = Field(
        default=["/services"], description="Roots of Curator, Spring Cloud and Dubbo 3: ROOT/SERVICE/ID to JSON."
    )
    username: str = Field(default="", description="User of the digest scheme, where nodes have an ACL.")
    password: SecretStr | None = Field(default=None, description="The user's password.")
    tls: bool = Field(default=False, description="Speak TLS.")


class Eureka(Endpoint):
    """Netflix Eureka by its REST API."""

    urls: list[str] = Field(
        default=["http://127.0.0.1:8761/eureka"], min_length=1, description="Servers, with their context path."
    )
    username: str = Field(default="", description="User, where the server asks for one.")
    password: SecretStr | None = Field(default=None, description="The user's password.")


class RegistryConfig(Config):
    """Which registries are asked, and what is kept of them. More than one of a kind: name further taggers ``registry/NAME``."""

    consul: Consul | None = Field(default=None, description="Consul.")
    nacos: Nacos | None = Field(default=None, description="Nacos.")
    etcd: Etcd | None = Field(default=None, description="etcd.")
    zookeeper: Zookeeper | None = Field(default=None, description="ZooKeeper.")
    eureka: Eureka | None = Field(default=None, description="Eureka.")
    vpc: str = Field(default="", description="VPC that the machines' addresses belong to; none when empty.")
    interval_s: float = Field(
        default=15,
        ge=1,
        le=3600,
        description="Longest wait for a change, and seconds between two questions without watch.",
    )
    timeout_s: float = Field(default=10, ge=0.5, le=300, description="Seconds for one answer.")
    settle_s: float = Field(
        default=1, ge=0.05, le=60, description="Seconds between two looks whether anything changed."
    )
    stale_s: float = Field(
        default=120, ge=0, description="Seconds without an answer after which services carry registry.stale = yes."
    )
    clients: bool = Field(
        default=True,
        description="An address that only one service has is that service's as a client too; never the address of a known machine.",
    )
    loopback: bool | None = Field(
        default=None, description="Take services at 127.0.0.1 and ::1; null: where the registry itself is there."
    )
    only_healthy: bool = Field(default=False, description="Leave out instances that the registry calls unhealthy.")
    health: bool = Field(default=False, description="Keep registry.health: healthy, partly, unhealthy.")
    metadata: bool = Field(default=True, description="Keep metadata of services (registry.meta.*).")
    max_tag_bytes: int = Field(default=16_384, ge=0, description="Bytes kept of one service's tags; longest left out.")
    max_instances: int = Field(default=50_000, ge=1, description="Instances of one registry at most.")
    max_answer_bytes: int = Field(default=64 << 20, ge=1024, description="Bytes of one answer at most.")
    history_s: float = Field(
        default=3600,
        ge=0,
        description="Seconds for which an instance that has gone still owns its address in the past.",
    )
    max_history: int = Field(default=50_000, ge=0, description="Instances that have gone remembered at most.")

    @model_validator(mode="after")
    def _one(self) -> RegistryConfig:
        if not any((self.consul, self.nacos, self.etcd, self.zookeeper, self.eureka)):
            raise ValueError(
                "no registry is named; give consul, nacos, etcd, zookeeper or eureka ({} for its defaults)"
            )
        return self
