"""The pipelines of a configuration as a graph: for people (text), for Graphviz (DOT), for machines (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from metaflow_core.api.counters import CounterSample
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.loaded import LoadedConfig, PipelineConfig

__all__ = ["Edge", "Graph", "GraphNode", "graph_of"]

_SHAPES: Mapping[Kind, str] = {
    Kind.COLLECTOR: "invhouse",
    Kind.ENGINE: "component",
    Kind.PARSER: "note",
    Kind.TAGGER: "box",
    Kind.STORAGE: "cylinder",
    Kind.EXPORTER: "house",
    Kind.DIALECT: "parallelogram",
    Kind.SERVICE: "tab",
}


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A component. :ivar name: ``kind.id``, with ``@pipeline`` where each pipeline has its own."""

    name: str
    kind: Kind
    id: ComponentId
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where something goes. :ivar carries: ``blocks``, ``records``, ``messages`` or ``queries``."""

    source: str
    target: str
    carries: str
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Components and what flows between them, in the order of the configuration."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    pipelines: Mapping[str, PipelineConfig]

    def to_dict(self) -> dict[str, Any]:
        """The stable form of ``mflow graph --json``."""
        return {
            "nodes": [
                {"name": n.name, "kind": n.kind.value, "id": str(n.id), "pipeline": n.pipeline} for n in self.nodes
            ],
            "edges": [
                {"source": e.source, "target": e.target, "carries": e.carries, "pipeline": e.pipeline}
                for e in self.edges
            ],
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_dot(self) -> str:
        """For ``dot -Tsvg``."""
        lines = ["digraph metaflow {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
        lines += [f'  "{n.name}" [label="{n.kind}\\n{n.id}", shape={_SHAPES[n.kind]}];' for n in self.nodes]
        lines += [f'  "{e.source}" -> "{e.target}" [label="{e.carries}"];' for e in self.edges]
        return "\n".join([*lines, "}"]) + "\n"

    def to_text(self, stats: Iterable[CounterSample] = ()) -> str:
        """A paragraph per pipeline; with counters, how much went through each component.

        :param stats: counters of a running app.
        """
        amounts = _amounts(stats)
        out: list[str] = []
        for name, pipeline in self.pipelines.items():
            out.append(f"pipeline {name}")
            steps: list[tuple[str, str, Iterable[ComponentId]]] = [
                ("collect", "collector", pipeline.collectors),
                ("engine", "engine", [pipeline.engine] if pipeline.engine is not None else []),
                ("parse", "", pipeline.parsers),
                ("refine", "refiner", pipeline.refiners),
                ("tag", "tagger", pipeline.taggers),
                ("store", "storage", pipeline.storages),
                ("export", "exporter", pipeline.exporters),
            ]
            for label, kind, ids in steps:
                texts = [f"{cid}{amounts.get(f'{kind}.{cid}', '')}" for cid in ids]
                if texts:
                    out.append(f"  {label:<8} {', '.join(texts)}")
            if not pipeline.storages and not pipeline.exporters:
                out.append("  (nothing keeps its records; they can only be tapped)")
        rest = [n for n in self.nodes if n.kind in (Kind.DIALECT, Kind.SERVICE)]
        if rest:
            out.append("beside the pipelines")
            for node in rest:
                asks = [
                    e.target.partition(".")[2] for e in self.edges if e.source == node.name and e.carries == "queries"
                ]
                out.append(f"  {node.kind:<8} {node.id}{' asks ' + ', '.join(asks) if asks else ''}")
        return "\n".join(out) + "\n"


def _amounts(stats: Iterable[CounterSample]) -> dict[str, str]:
    totals: dict[str, dict[str, int]] = {}
    for sample in stats:
        if sample.stage in ("sent", "dropped") and sample.unit in ("records", "blocks"):
            stages = totals.setdefault(sample.component.partition("@")[0], {})
            word = f"{sample.unit} {sample.stage}"
            stages[word] = stages.get(word, 0) + sample.value
    return {
        name: f" ({', '.join(f'{value} {word}' for word, value in words.items())})" for name, words in totals.items()
    }


def graph_of(loaded: LoadedConfig) -> Graph:
    """The graph of a checked configuration."""
    nodes: dict[str, GraphNode] = {}
    edges: list[Edge] = []

    def node(kind: Kind, cid: ComponentId, pipeline: str = "") -> str:
        name = f"{kind}.{cid}" + (f"@{pipeline}" if pipeline else "")
        nodes.setdefault(name, GraphNode(name, kind, cid, pipeline))
        return name

    for pipeline in loaded.pipelines.values():
        _pipeline(pipeline, node, edges)
    for component in loaded.of_kind(Kind.DIALECT):
        name = node(Kind.DIALECT, component.id)
        stores = [each.id for each in loaded.of_kind(Kind.STORAGE)]
        asked = [component.storage] if component.storage is not None else stores[:1]
        edges.extend(Edge(name, node(Kind.STORAGE, storage), "queries") for storage in asked)
    for component in loaded.of_kind(Kind.SERVICE):
        node(Kind.SERVICE, component.id)
    return Graph(tuple(nodes.values()), tuple(edges), loaded.pipelines)


def _pipeline(pipeline: PipelineConfig, node: Any, edges: list[Edge]) -> None:
    name = pipeline.name
    before = [node(Kind.COLLECTOR, cid) for cid in pipeline.collectors]
    carries = "records"
    if pipeline.engine is not None:
        engine = node(Kind.ENGINE, pipeline.engine, name)
        edges.extend(Edge(source, engine, "blocks", name) for source in before)
        edges.extend(Edge(node(Kind.PARSER, cid, name), engine, "messages", name) for cid in pipeline.parsers)
        edges.extend(Edge(node(Kind.REFINER, cid, name), engine, "names", name) for cid in pipeline.refiners)
        before = [engine]
    for cid in pipeline.taggers:
        tagger = node(Kind.TAGGER, cid)
        edges.extend(Edge(source, tagger, carries, name) for source in before)
        before = [tagger]
    for kind, ids in ((Kind.STORAGE, pipeline.storages), (Kind.EXPORTER, pipeline.exporters)):
        for cid in ids:
            target = node(kind, cid)
            edges.extend(Edge(source, target, carries, name) for source in before)
