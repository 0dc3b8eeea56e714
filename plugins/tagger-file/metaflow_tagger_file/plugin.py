"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_tagger_file.config import FileTaggerConfig

if TYPE_CHECKING:
    from metaflow_tagger_file.tagger import FileTagger

__all__ = ["metaflow_taggers"]

_TAGS = (
    *(
        "region_id",
        "az_id",
        "host_id",
        "l3_device_type",
        "l3_device_id",
        "pod_node_id",
        "pod_ns_id",
        "pod_group_id",
        "pod_id",
    ),
    *("pod_cluster_id", "l3_epc_id", "subnet_id", "service_id", "auto_instance_id", "auto_instance_type"),
    *("auto_service_id", "auto_service_type", "tag_source", "app_service", "app_instance"),
)


def _create(context: BuildContext, config: FileTaggerConfig) -> FileTagger:
    from metaflow_tagger_file.tagger import FileTagger

    return FileTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``file``."""
    return [
        TaggerFactory(
            type="file",
            config=FileTaggerConfig,
            create=_create,
            stability=Stability.BETA,
            summary="regions, hosts, VPCs, subnets and services by address, port and time, from YAML or CSV files",
            tags=_TAGS,
        )
    ]
