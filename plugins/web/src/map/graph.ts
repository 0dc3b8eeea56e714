/** From rows of client, server, port and protocol to nodes and edges. Pure. */

import { isAddress, isLoopback, serverName } from "../data/names";

export interface Call {
  client: string;
  server: string;
  port: number;
  protocol: string;
  requests: number;
  errors: number;
  timeouts: number;
  delay: number | null;
  slowest: number | null;
  /** An address of the server, where it is known. */
  serverIp?: string;
  /** Its messages went through TLS. */
  tls?: boolean;
}

export interface Edge {
  id: string;
  from: string;
  to: string;
  protocol: string;
  requests: number;
  failed: number;
  delay: number | null;
  slowest: number | null;
  /** Share of the requests that went through TLS, 0 to 1. */
  tls: number;
  calls: Call[];
}

export interface Node {
  id: string;
  label: string;
  /** As a server: what came in. */
  requests: number;
  failed: number;
  /** Of those that failed, the ones that nothing explains which this service itself called: trouble begins here. */
  begun: number;
  protocols: string[];
  ports: number[];
  /** Only calls, and is never called. */
  isSource: boolean;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

/** Services of one machine share an address there, so on loopback the port tells them apart. */
function serverNode(call: Call): string {
  return isLoopback(call.server) ? serverName(call.server, call.port) : call.server || "unknown";
}

/**
 * The service behind an address, for addresses at which a single one answers. A client is often known by its address only, for its port
 * is anybody's; the service that answers there is the same machine, pod or container, and without this no chain of calls would be one.
 */
function ownersOf(calls: Call[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const call of calls) {
    const ip = call.serverIp ?? "";
    if (ip === "" || call.server === "") continue;
    owners.set(ip, (owners.get(ip) ?? call.server) === call.server && !isAddress(call.server) ? call.server : "");
  }
  return owners;
}

/** One edge for each pair of nodes and protocol; the busiest first. */
export function graphOf(calls: Call[]): Graph {
  const edges = new Map<string, Edge>();
  const owners = ownersOf(calls);
  for (const call of calls) {
    const from = (isAddress(call.client) && owners.get(call.client)) || call.client || "unknown";
    const to = serverNode(call);
    const id = JSON.stringify([from, to, call.protocol]);
    const edge = edges.get(id) ?? { id, from, to, protocol: call.protocol, requests: 0, failed: 0, delay: null, slowest: null, tls: 0, calls: [] };
    edge.calls.push(call);
    edges.set(id, edge);
  }
  const nodes = new Map<string, Node>();
  const node = (id: string): Node => {
    const found = nodes.get(id) ?? { id, label: id, requests: 0, failed: 0, begun: 0, protocols: [], ports: [], isSource: true };
    nodes.set(id, found);
    return found;
  };
  for (const edge of edges.values()) {
    edge.requests = edge.calls.reduce((sum, call) => sum + call.requests, 0);
    edge.failed = edge.calls.reduce((sum, call) => sum + call.errors + call.timeouts, 0);
    edge.tls = edge.requests > 0 ? edge.calls.reduce((sum, call) => sum + (isEncrypted(call) ? call.requests : 0), 0) / edge.requests : 0;
    edge.delay = meanDelay(edge.calls);
    edge.slowest = edge.calls.reduce<number | null>((most, call) => (call.slowest === null ? most : Math.max(most ?? 0, call.slowest)), null);
    node(edge.from);
    const server = node(edge.to);
    server.requests += edge.requests;
    server.failed += edge.failed;
    server.isSource = false;
    if (!server.protocols.includes(edge.protocol)) server.protocols.push(edge.protocol);
    for (const call of edge.calls) if (call.port > 0 && !server.ports.includes(call.port)) server.ports.push(call.port);
  }
  const passed = new Map<string, number>();
  for (const edge of edges.values()) if (edge.from !== edge.to) passed.set(edge.from, (passed.get(edge.from) ?? 0) + edge.failed);
  // an address of loopback calls for everybody behind it: nothing is known of what such a service calls
  for (const one of nodes.values()) one.begun = isOnLoopback(one.id) ? 0 : Math.max(0, one.failed - (passed.get(one.id) ?? 0));
  return {
    nodes: [...nodes.values()].sort((a, b) => b.requests - a.requests || a.id.localeCompare(b.id)),
    edges: [...edges.values()].sort((a, b) => b.requests - a.requests || a.id.localeCompare(b.id)),
  };
}

/** A node of loopback, with its port or without. */
export const isOnLoopback = (id: string): boolean => isLoopback(id) || id.startsWith("[::1]");

/** What is seen as TLS only, and what was read inside it. */
export const isEncrypted = (call: Call): boolean => call.tls === true || call.protocol === "TLS";

/** Most of what fails at a service is its own: at least one request in a hundred, and nothing that it calls explains them. */
export function beginsHere(node: { requests: number; failed: number; begun: number }): boolean {
  return node.requests > 0 && node.begun / node.requests >= 0.01 && node.begun * 2 >= node.failed;
}

/** Means are weighted by requests; calls without a measurement say nothing. */
function meanDelay(calls: Call[]): number | null {
  const known = calls.filter((call) => call.delay !== null);
  const weight = known.reduce((sum, call) => sum + call.requests, 0);
  return weight > 0 ? known.reduce((sum, call) => sum + (call.delay ?? 0) * call.requests, 0) / weight : null;
}

/** The busiest nodes and edges, so that a map of thousands stays one; edges of others go. */
export function busiest(graph: Graph, most: number, mostEdges = Infinity): Graph {
  if (graph.nodes.length <= most) return graph.edges.length <= mostEdges ? graph : { ...graph, edges: graph.edges.slice(0, mostEdges) };
  const weight = new Map<string, number>();
  for (const edge of graph.edges) {
    for (const end of [edge.from, edge.to]) weight.set(end, (weight.get(end) ?? 0) + edge.requests);
  }
  const kept = new Set([...weight.entries()].sort((a, b) => b[1] - a[1]).slice(0, most).map(([id]) => id));
  return {
    nodes: graph.nodes.filter((node) => kept.has(node.id)),
    edges: graph.edges.filter((edge) => kept.has(edge.from) && kept.has(edge.to)).slice(0, mostEdges),
  };
}
