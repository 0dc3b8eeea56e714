"""Options of the tagger."""

from __future__ import annotations

from pathlib import Path

from metaflow_core.api import Config, Field

__all__ = ["CustomWorkload", "KubernetesConfig"]


class CustomWorkload(Config):
    """A kind of workload that a custom resource defines; it owns pods as a Deployment does."""

    group: str = Field(description="API group, e.g. apps.kruise.io.")
    version: str = Field(default="v1", description="Version of the group, e.g. v1alpha1.")
    plural: str = Field(description="Name of the resource in paths, e.g. clonesets.")
    kind: str = Field(description="Its kind, e.g. CloneSet.")


class KubernetesConfig(Config):
    """Which cluster, with whose rights, and what is kept of it."""

    cluster: str = Field(default="", description="Name of the cluster on rows; that of the context when empty.")
    kubeconfig: Path | None = Field(
        default=None, description="File with the access; null for the pod's service account, else ~/.kube/config."
    )
    context: str = Field(default="", description="Context of the kubeconfig; its current one when empty.")
    vpc: str = Field(default="", description="VPC that the cluster's addresses belong to; none when empty.")
    namespaces: list[str] = Field(default=[], description="Only these namespaces; all of them when empty.")
    labels: bool = Field(default=True, description="Keep labels of pods and services (k8s.label.*).")
    annotations: bool = Field(default=False, description="Keep annotations of pods and services (k8s.annotation.*).")
    env: bool = Field(default=False, description="Keep plain environment variables of pods (k8s.env.*); never secrets.")
    max_tag_bytes: int = Field(
        default=16_384,
        ge=0,
        description="Bytes kept of one object's labels, annotations or variables; longest left out.",
    )
    custom_workloads: list[CustomWorkload] = Field(default=[], description="Further kinds of workloads.")
    page_size: int = Field(default=500, ge=1, le=10_000, description="Objects asked for at once.")
    settle_s: float = Field(
        default=0.25, ge=0.05, le=60, description="Seconds between two looks whether anything changed."
    )
    history_s: float = Field(
        default=3600, ge=0, description="Seconds for which a deleted pod still owns its address in the past."
    )
    max_history: int = Field(default=50_000, ge=0, description="Deleted pods remembered at most.")
    elect: bool = Field(
        default=False,
        description="Only one of all agents of the cluster watches it, and reports to the server; the others stand by. Needs get, create "
        "and update of leases.",
    )
    lease: str = Field(default="metaflow-tagger", min_length=1, max_length=253, description="Name of the lease.")
    lease_namespace: str = Field(default="", description="Its namespace; that of the pod (else default) when empty.")
    lease_s: float = Field(
        default=15, ge=1, le=3600, description="Seconds without a sign of life after which another one takes over."
    )
