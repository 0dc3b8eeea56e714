"""Running what is configured: graph, bounded queues, lifecycle, supervision, reload, counters."""

from __future__ import annotations

from metaflow_core.pipeline.board import StatusBoard
from metaflow_core.pipeline.builder import Builder, check_build
from metaflow_core.pipeline.faults import SupervisionPolicy
from metaflow_core.pipeline.graph import Graph, graph_of
from metaflow_core.pipeline.queue import BoundedQueue, PipelineClosed
from metaflow_core.pipeline.reload import reload_runtime
from metaflow_core.pipeline.runtime import Runtime
from metaflow_core.pipeline.tap import Tap

__all__ = [
    "BoundedQueue",
    "Builder",
    "Graph",
    "PipelineClosed",
    "Runtime",
    "StatusBoard",
    "SupervisionPolicy",
    "Tap",
    "check_build",
    "graph_of",
    "reload_runtime",
]
