"""One file for each cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from metaflow_tagger_cloud.asking import Asking, Cloud

__all__ = ["MAKERS"]


def _maker(module: str) -> Callable[[Any, Callable[..., Asking]], Cloud]:
    def make(options: Any, asking: Callable[..., Asking]) -> Cloud:
        import importlib

        made: Cloud = importlib.import_module(f"metaflow_tagger_cloud.clouds.{module}").connect(options, asking)
        return made

    return make


MAKERS: Mapping[str, Callable[[Any, Callable[..., Asking]], Cloud]] = MappingProxyType(
    {name: _maker(name) for name in ("aws", "azure", "gcp", "aliyun", "openstack")}
)
"""How an account is opened, by the cloud's name in the options. Each module has ``connect(options, asking)``, which may raise
:class:`metaflow_tagger_cloud.asking.Failed`; ``asking`` makes an :class:`metaflow_tagger_cloud.asking.Asking` of its ``denies``.
"""
