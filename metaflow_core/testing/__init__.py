"""The public test kit: what the authors of plugins, and this project, test with.

* contract suites to inherit: :class:`CollectorContract`, :class:`EngineContract`, :class:`ParserContract`,
  :class:`TaggerContract`, :class:`StorageContract`, :class:`NamesContract`, :class:`LateTagsContract`, :class:`DialectContract`, :class:`ExporterContract`,
  :class:`ServiceContract`, :class:`LoaderContract`, :class:`LinkRuleContract` (with :class:`FakeSpan`)
* doubles: :class:`FakeClock`, :class:`MemoryCollector`, :class:`MemoryStorage`, :class:`MemoryExporter`
* :func:`build_context` and :func:`replay`
* real programs beside a test: :func:`peers_missing`, :func:`capture_refused`, :func:`free_port`, :func:`running`, :func:`recorded`
* :func:`judge_openapi`: a service against what it says of itself
* pytest fixtures, by the plugin that comes with the core: ``clock``, ``plugin_host``, ``build_context``, ``metaflow_app``,
  ``golden`` (``--mf-update`` rewrites golden files)
"""

from __future__ import annotations

from metaflow_core.testing.clock import FakeClock
from metaflow_core.testing.context import build_context
from metaflow_core.testing.contracts import (
    CollectorContract,
    ComponentContract,
    DialectContract,
    EngineContract,
    ExporterContract,
    LateTagsContract,
    LinkRuleContract,
    LoaderContract,
    NamesContract,
    ParserContract,
    ServiceContract,
    StorageContract,
    TaggerContract,
)
from metaflow_core.testing.doubles import MemoryCollector, MemoryExporter, MemoryStorage
from metaflow_core.testing.golden import Golden
from metaflow_core.testing.links import FakeSpan
from metaflow_core.testing.openapi import judge_openapi
from metaflow_core.testing.peers import Peer, capture_refused, find_program, free_port, peers_missing, recorded, running
from metaflow_core.testing.replay import replay
from metaflow_core.testing.rows import plain_rows

__all__ = [
    "CollectorContract",
    "ComponentContract",
    "DialectContract",
    "EngineContract",
    "ExporterContract",
    "FakeClock",
    "FakeSpan",
    "Golden",
    "LateTagsContract",
    "LinkRuleContract",
    "LoaderContract",
    "MemoryCollector",
    "MemoryExporter",
    "MemoryStorage",
    "NamesContract",
    "ParserContract",
    "Peer",
    "ServiceContract",
    "StorageContract",
    "TaggerContract",
    "build_context",
    "capture_refused",
    "find_program",
    "free_port",
    "judge_openapi",
    "peers_missing",
    "plain_rows",
    "recorded",
    "replay",
    "running",
]
