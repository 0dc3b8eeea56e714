"""The columns that a tagger of addresses fills; a module of its own, so that declaring a tagger imports nothing heavy."""

from __future__ import annotations

__all__ = ["TAGS"]

TAGS = (
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
"""The columns that such a tagger fills, for ``TaggerFactory.tags``."""
