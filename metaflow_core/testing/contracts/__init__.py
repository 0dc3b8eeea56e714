"""Contract suites: inherit one, say which factory is meant, and pytest runs what every component of that kind promises."""

from __future__ import annotations

from metaflow_core.testing.contracts.base import ComponentContract
from metaflow_core.testing.contracts.collector import CollectorContract
from metaflow_core.testing.contracts.dialect import DialectContract
from metaflow_core.testing.contracts.engine import EngineContract
from metaflow_core.testing.contracts.exporter import ExporterContract
from metaflow_core.testing.contracts.late_tags import LateTagsContract
from metaflow_core.testing.contracts.link_rule import LinkRuleContract
from metaflow_core.testing.contracts.loader import LoaderContract
from metaflow_core.testing.contracts.names import NamesContract
from metaflow_core.testing.contracts.parser import ParserContract
from metaflow_core.testing.contracts.service import ServiceContract
from metaflow_core.testing.contracts.storage import StorageContract
from metaflow_core.testing.contracts.tagger import TaggerContract

__all__ = [
    "CollectorContract",
    "ComponentContract",
    "DialectContract",
    "EngineContract",
    "ExporterContract",
    "LateTagsContract",
    "LinkRuleContract",
    "LoaderContract",
    "NamesContract",
    "ParserContract",
    "ServiceContract",
    "StorageContract",
    "TaggerContract",
]
