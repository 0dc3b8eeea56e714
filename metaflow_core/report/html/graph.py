"""The map: edges to nodes with places, layer by layer from those who only call to those who are only called."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from metaflow_core.report.model import Edge, Service

__all__ = ["Graph", "Line", "Node", "graph_of"]

_SWEEPS = 6
_WIDTH, _HEIGHT = 210, 46
_ACROSS, _DOWN = 230, 22


@dataclass(slots=True)
class Node:
    """A service, or an address that only calls.

    :ivar x: of its left side, :ivar y: of its top, in pixels.
    """

    key: str
    label: str
    detail: str
    requests: int = 0
    errors: int = 0
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(slots=True)
class Line:
    """All calls between two nodes in one protocol."""

    source: str
    target: str
    protocol: str
    requests: int = 0
    errors: int = 0
    delay: float = 0.0
    max_us: int = 0


@dataclass(slots=True)
class Graph:
    """Nodes with places, and the lines between them. ``left_out`` nodes are too many to draw."""

    nodes: dict[str, Node] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    left_out: int = 0


def graph_of(edges: Sequence[Edge], services: Sequence[Service], most: int = 40) -> Graph:
    """The busiest part of the map.

    On loopback each port is a node of its own; elsewhere an address is one, since what calls from it is the machine.
    """
    names = {(each.address, each.port): each.name for each in services}
    nodes: dict[str, Node] = {}
    lines: dict[tuple[str, str, str], Line] = {}
    ports: dict[str, set[int]] = {}
    for edge in edges:
        target = _server_key(edge)
        ports.setdefault(target, set()).add(edge.port)
        name = names.get((edge.address, edge.port), "")
        known = nodes.setdefault(target, Node(target, target, ""))
        if name and name != target and not known.detail:
            known.detail = name
        nodes.setdefault(edge.client, Node(edge.client, edge.client, ""))
        line = lines.setdefault((edge.client, target, edge.protocol), Line(edge.client, target, edge.protocol))
        line.delay += edge.average_us * edge.requests
        line.requests += edge.requests
        line.errors += edge.errors
        line.max_us = max(line.max_us, edge.max_us)
        known.requests += edge.requests
        known.errors += edge.errors
    for line in lines.values():
        line.delay = line.delay / line.requests if line.requests else 0.0
    for key, node in nodes.items():
        if not node.detail and key in ports and not key.endswith(tuple(f":{port}" for port in ports[key])):
            node.detail = ", ".join(f":{port}" for port in sorted(ports[key])[:4])
    return _placed(nodes, list(lines.values()), most)


def _server_key(edge: Edge) -> str:
    try:
        is_loopback = ipaddress.ip_address(edge.address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        return edge.address or "unknown"
    return f"[{edge.address}]:{edge.port}" if ":" in edge.address else f"{edge.address}:{edge.port}"


def _placed(nodes: dict[str, Node], lines: list[Line], most: int) -> Graph:
    weight: dict[str, int] = dict.fromkeys(nodes, 0)
    for line in lines:
        weight[line.source] += line.requests
        weight[line.target] += line.requests
    kept = set(sorted(nodes, key=lambda key: (-weight[key], key))[:most])
    shown = [line for line in lines if line.source in kept and line.target in kept]
    graph = Graph({key: nodes[key] for key in nodes if key in kept}, shown, left_out=len(nodes) - len(kept))
    _set_layers(graph)
    layers: dict[int, list[Node]] = {}
    for node in graph.nodes.values():
        layers.setdefault(node.layer, []).append(node)
    _order(graph, layers)
    tallest = max((len(members) for members in layers.values()), default=0)
    graph.height = tallest * (_HEIGHT + _DOWN) - _DOWN + 2
    for layer, members in layers.items():
        own = len(members) * (_HEIGHT + _DOWN) - _DOWN
        for place, node in enumerate(members):
            node.x = layer * (_WIDTH + _ACROSS) + 1
            node.y = (graph.height - own) / 2 + place * (_HEIGHT + _DOWN)
    graph.width = (max(layers, default=0) + 1) * (_WIDTH + _ACROSS) - _ACROSS + 2
    return graph


def _set_layers(graph: Graph) -> None:
    """The longest way from a node that nobody calls; an edge that closes a circle is passed over."""
    calls: dict[str, list[str]] = {key: [] for key in graph.nodes}
    for line in graph.lines:
        if line.source != line.target:
            calls[line.source].append(line.target)
    state: dict[str, int] = {}
    order: list[str] = []
    forward: dict[str, list[str]] = {key: [] for key in graph.nodes}
    called = {line.target for line in graph.lines if line.source != line.target}
    for root in sorted(graph.nodes, key=lambda key: (key in called, key)):
        stack: list[tuple[str, int]] = [(root, 0)]
        while stack:
            key, place = stack.pop()
            if place == 0:
                if state.get(key):
                    continue
                state[key] = 1
            if place < len(calls[key]):
                stack.append((key, place + 1))
                target = calls[key][place]
                if state.get(target) != 1:
                    forward[key].append(target)
                    if not state.get(target):
                        stack.append((target, 0))
                continue
            state[key] = 2
            order.append(key)
    for key in reversed(order):
        for target in forward[key]:
            graph.nodes[target].layer = max(graph.nodes[target].layer, graph.nodes[key].layer + 1)


def _order(graph: Graph, layers: dict[int, list[Node]]) -> None:
    """Fewer crossings: each node moves to the mean place of its neighbours, a few times to and fro."""
    for members in layers.values():
        members.sort(key=lambda node: (-node.requests, node.key))
    for sweep in range(_SWEEPS):
        place = {
            node.key: index / max(1, len(members)) for members in layers.values() for index, node in enumerate(members)
        }
        for layer in sorted(layers, reverse=bool(sweep % 2)):
            for node in layers[layer]:
                near = [
                    place[line.source if line.target == node.key else line.target]
                    for line in graph.lines
                    if node.key in (line.source, line.target) and line.source != line.target
                ]
                place[node.key] = sum(near) / len(near) if near else place[node.key]
            layers[layer].sort(key=lambda node: (place[node.key], node.key))
