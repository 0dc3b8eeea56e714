"""Options of the tagger."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from metaflow_core.api import Config, Field, SecretStr, model_validator

__all__ = ["Account", "Aliyun", "Aws", "Azure", "CloudConfig", "Gcp", "Metadata", "Openstack"]


class Account(Config):
    """What an account of any cloud has."""

    name: str = Field(default="", description="Name in reports; made of the other options when empty.")


class Aws(Account):
    """Amazon Web Services, through boto3; without keys as boto3 finds them (environment, profile, role of the machine)."""

    regions: list[str] = Field(
        default=[], description="Regions; that of the environment when empty, ['*'] for all enabled."
    )
    profile: str = Field(default="", description="Profile of ~/.aws.")
    access_key_id: str = Field(default="", description="Access key.")
    secret_access_key: SecretStr | None = Field(default=None, description="Its secret.")
    role_arn: str = Field(default="", description="Role that is assumed, to read another account.")
    endpoint_url: str = Field(default="", description="Another address of the API, for doubles and private endpoints.")


class Azure(Account):
    """Microsoft Azure, through azure-mgmt-*; without a secret as azure-identity finds credentials."""

    subscriptions: list[str] = Field(min_length=1, description="Ids of subscriptions.")
    tenant_id: str = Field(default="", description="Tenant of the application.")
    client_id: str = Field(default="", description="Application.")
    client_secret: SecretStr | None = Field(default=None, description="Its secret.")


class Gcp(Account):
    """Google Cloud, through google-cloud-compute; without a file as Google's libraries find credentials."""

    projects: list[str] = Field(min_length=1, description="Ids of projects.")
    credentials_file: Path | None = Field(default=None, description="Key of a service account (JSON).")


class Aliyun(Account):
    """Alibaba Cloud, through its SDK."""

    regions: list[str] = Field(min_length=1, description="Regions, e.g. cn-hangzhou.")
    access_key_id: str = Field(description="Access key.")
    access_key_secret: SecretStr = Field(description="Its secret.")


class Openstack(Account):
    """OpenStack, through openstacksdk."""

    cloud: str = Field(default="", description="Name in clouds.yaml; the OS_* environment when empty.")
    regions: list[str] = Field(default=[], description="Regions; that of the cloud when empty.")
    all_projects: bool = Field(default=False, description="Servers of all projects; needs an administrator.")


class Metadata(Config):
    """The instance metadata service: what the cloud tells this machine of itself."""

    provider: Literal["auto", "aws", "azure", "gcp", "aliyun", "openstack"] = Field(
        default="auto", description="Whose; auto asks each."
    )
    url: str = Field(default="", description="Another address of the service; its well-known one when empty.")
    timeout_s: float = Field(default=1, ge=0.1, le=30, description="Seconds for one answer.")


class CloudConfig(Config):
    """Which accounts are read, and what is kept of them."""

    aws: list[Aws] = Field(default=[], description="Accounts of Amazon Web Services.")
    azure: list[Azure] = Field(default=[], description="Accounts of Microsoft Azure.")
    gcp: list[Gcp] = Field(default=[], description="Accounts of Google Cloud.")
    aliyun: list[Aliyun] = Field(default=[], description="Accounts of Alibaba Cloud.")
    openstack: list[Openstack] = Field(default=[], description="OpenStack clouds.")
    metadata: Metadata | None = Field(
        default=None, description="This machine's own tags; needs no account ({} for auto)."
    )
    vpcs: list[str] = Field(
        default=[], description="Only these VPCs, by name or id; needed where the addresses of several overlap."
    )
    resolve: bool = Field(
        default=True,
        description="Look up the names of databases and load balancers whose addresses the API does not tell.",
    )
    cloud_tags: bool = Field(default=True, description="Keep the tags given in the cloud (cloud.tag.*).")
    interval_s: float = Field(default=300, ge=1, le=86_400, description="Seconds between two readings of an account.")
    timeout_s: float = Field(default=30, ge=1, le=600, description="Seconds for one call.")
    settle_s: float = Field(
        default=2, ge=0.05, le=60, description="Seconds between two looks whether anything changed."
    )
    max_resources: int = Field(default=200_000, ge=1, description="Resources of one region of an account at most.")
    max_tag_bytes: int = Field(default=16_384, ge=0, description="Bytes kept of one resource's tags; longest left out.")
    history_s: float = Field(
        default=3600,
        ge=0,
        description="Seconds for which a resource that has gone still owns its addresses in the past.",
    )
    max_history: int = Field(default=50_000, ge=0, description="Resources that have gone remembered at most.")

    @model_validator(mode="after")
    def _one(self) -> CloudConfig:
        if not any((self.aws, self.azure, self.gcp, self.aliyun, self.openstack, self.metadata)):
            raise ValueError("no cloud is named; give aws, azure, gcp, aliyun, openstack or metadata ({} for auto)")
        return self
