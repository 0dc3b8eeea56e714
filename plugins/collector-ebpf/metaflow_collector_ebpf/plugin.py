"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_core import CollectorFactory, Stability, hookimpl
from metaflow_core.api import BuildContext, Examination

if TYPE_CHECKING:
    from metaflow_collector_ebpf.collector import EbpfCollector


def _create(context: BuildContext, config: EbpfConfig) -> EbpfCollector:
    # what loads programs and reads ELF files is imported by those who use it; every command loads this module
    from metaflow_collector_ebpf.collector import EbpfCollector

    return EbpfCollector(context, config)


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer the eBPF collector."""
    return [
        CollectorFactory(
            type="ebpf",
            config=EbpfConfig,
            create=_create,
            emits=frozenset({"segments"}),
            stability=Stability.BETA,
            summary="What processes send and receive, TLS plain text included, from the Linux kernel (eBPF).",
        )
    ]


@hookimpl
def metaflow_examinations() -> Iterable[Examination]:
    """What the kernel lets this collector do."""
    from metaflow_collector_ebpf.examination import look

    return [Examination("eBPF", look)]
