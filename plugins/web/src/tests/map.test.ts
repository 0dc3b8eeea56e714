import { expect, test } from "vitest";
import { FOLDS, foldBy, foldByKind, MOST_GROUPS, stemOf } from "../map/fold";
import { beginsHere, busiest, type Call, graphOf } from "../map/graph";
import { linesOf } from "../map/labels";
import { layoutOf, NODE_HEIGHT, NODE_WIDTH } from "../map/layout";

function call(client: string, server: string, more: Partial<Call> = {}): Call {
  return { client, server, port: 80, protocol: "HTTP", requests: 10, errors: 0, timeouts: 0, delay: 1000, slowest: 2000, ...more };
}

/** A deterministic pseudo-random number from 0 to below n. */
function* numbers(seed: number): Generator<(n: number) => number> {
  let state = seed;
  for (;;) yield (n) => ((state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 8) % n;
}

test("calls of one pair and protocol are one edge, weighted by requests", () => {
  const graph = graphOf([call("a", "b", { delay: 100, requests: 1 }), call("a", "b", { port: 81, delay: 400, requests: 2, errors: 1, timeouts: 1 })]);
  expect(graph.edges).toHaveLength(1);
  expect(graph.edges[0]).toMatchObject({ requests: 3, failed: 2, delay: 300, slowest: 2000 });
  expect(graph.nodes.find((node) => node.id === "b")).toMatchObject({ ports: [80, 81], isSource: false });
  expect(graph.nodes.find((node) => node.id === "a")?.isSource).toBe(true);
});

test("on loopback the port tells services apart, elsewhere a service keeps its chain", () => {
  expect(graphOf([call("127.0.0.1", "127.0.0.1", { port: 6379 })]).nodes.map((node) => node.id).sort()).toEqual(["127.0.0.1", "127.0.0.1:6379"]);
  expect(graphOf([call("::1", "::1", { port: 80 })]).nodes.map((node) => node.id)).toContain("[::1]:80");
  expect(graphOf([call("10.0.0.1", "10.0.0.2"), call("10.0.0.2", "10.0.0.3")]).nodes).toHaveLength(3);
});

test("a client known by its address is the service that alone answers there", () => {
  const chain = [call("10.0.0.9", "gateway", { serverIp: "10.0.0.1" }), call("10.0.0.1", "orders", { serverIp: "10.0.0.2" }), call("10.0.0.2", "10.0.0.3", { serverIp: "10.0.0.3" })];
  expect(graphOf(chain).edges.map((edge) => `${edge.from} ${edge.to}`).sort()).toEqual(["10.0.0.9 gateway", "gateway orders", "orders 10.0.0.3"]);
  // two services at one address: nobody knows which of them calls
  const shared = [...chain, call("10.0.0.9", "cache", { serverIp: "10.0.0.1" })];
  expect(graphOf(shared).edges.map((edge) => edge.from)).toContain("10.0.0.1");
  expect(graphOf([call("10.0.0.1", "::2", { serverIp: "10.0.0.1" }), call("10.0.0.1", "named", { serverIp: "" })]).edges.map((edge) => edge.from)).toEqual(["10.0.0.1", "10.0.0.1"]);
});

test("nothing measured stays nothing", () => {
  expect(graphOf([call("a", "b", { delay: null, slowest: null })]).edges[0]).toMatchObject({ delay: null, slowest: null });
});

test("a chain goes from left to right on one line", () => {
  const { places } = layoutOf(graphOf([call("a", "b"), call("b", "c"), call("c", "d")]));
  const chain = ["a", "b", "c", "d"].map((id) => places.get(id));
  for (let at = 1; at < chain.length; at += 1) {
    expect(chain[at]?.x).toBeGreaterThan((chain[at - 1]?.x ?? 0) + NODE_WIDTH);
    expect(chain[at]?.y).toBeCloseTo(chain[0]?.y ?? 0, 3);
  }
});

test("labels stand on their own line and beside each other", () => {
  const calls = ["a", "b", "c"].flatMap((from) => ["x", "y", "z"].map((to) => call(from, to)));
  const graph = graphOf([...calls, call("a", "x", { protocol: "Redis" }), call("x", "a"), call("y", "y")]);
  const lines = linesOf(graph, layoutOf(graph));
  expect(lines.size).toBe(graph.edges.length);
  const labels = [...lines.values()].map((line) => line.label);
  for (const [at, one] of labels.entries()) {
    for (const other of labels.slice(at + 1)) expect(Math.abs(one.x - other.x) + Math.abs(one.y - other.y)).toBeGreaterThan(10);
  }
  expect(linesOf({ ...graph, edges: [...graph.edges].reverse() }, layoutOf(graph)).get(graph.edges[0]?.id ?? "")?.label).toBeDefined();
});

test("cycles and calls to oneself end", () => {
  const { places } = layoutOf(graphOf([call("a", "b"), call("b", "a"), call("b", "b"), call("b", "c"), call("c", "a")]));
  expect(places.size).toBe(3);
  for (const at of places.values()) expect(Number.isFinite(at.x + at.y)).toBe(true);
});

test("any graph: every node has a place, no two overlap, and the order of rows does not matter", () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const next = numbers(seed);
    const random = (n: number) => next.next().value(n) as number;
    const size = 2 + random(120);
    const calls = Array.from({ length: size * 2 }, () => call(`n${random(size)}`, `n${random(size)}`, { port: 1, requests: 1 + random(50) }));
    const layout = layoutOf(graphOf(calls));
    expect(layoutOf(graphOf([...calls].reverse()))).toEqual(layout);
    const boxes = [...layout.places.values()];
    expect(boxes).toHaveLength(graphOf(calls).nodes.length);
    for (const [at, one] of boxes.entries()) {
      expect(one.x >= 0 && one.y >= 0 && one.x + NODE_WIDTH <= layout.width && one.y + NODE_HEIGHT <= layout.height).toBe(true);
      for (const other of boxes.slice(at + 1)) expect(Math.abs(one.x - other.x) >= NODE_WIDTH || Math.abs(one.y - other.y) >= NODE_HEIGHT).toBe(true);
    }
  }
}, 60_000);

test("of thousands of nodes the busiest are kept", () => {
  const graph = graphOf(Array.from({ length: 3000 }, (_, at) => call("hub", `s${at}`, { requests: at + 1 })));
  const kept = busiest(graph, 500);
  expect(kept.nodes).toHaveLength(500);
  expect(kept.nodes.some((node) => node.id === "hub")).toBe(true);
  expect(kept.nodes.some((node) => node.id === "s2999")).toBe(true);
  expect(layoutOf(kept).places.size).toBe(500);
});

test("a narrow and high room is filled downwards, and nothing overlaps there either", () => {
  const graph = graphOf([call("a", "b"), call("b", "c"), call("b", "d"), call("c", "e"), call("d", "e"), call("e", "f")]);
  const layout = layoutOf(graph, { width: 700, height: 800 });
  expect([layout.down, layoutOf(graph, { width: 1500, height: 700 }).down]).toEqual([true, false]);
  expect(layout.width).toBeLessThanOrEqual(800);
  const at = (id: string) => layout.places.get(id) ?? { x: 0, y: 0 };
  expect(at("b").y).toBeGreaterThan(at("a").y + NODE_HEIGHT);
  expect(Math.abs(at("c").x - at("d").x)).toBeGreaterThanOrEqual(NODE_WIDTH);
  for (const line of linesOf(graph, layout).values()) expect(line.curve.path).not.toContain("NaN");
});

test("failures begin where nothing that is called explains them", () => {
  const graph = graphOf([call("user", "gate", { requests: 100, errors: 20 }), call("gate", "orders", { requests: 100, errors: 19 }), call("orders", "db", { requests: 100, errors: 15, timeouts: 4 }), call("orders", "cache", { requests: 100 })]);
  expect(graph.nodes.filter(beginsHere).map((node) => node.id)).toEqual(["db"]);
  expect(graph.nodes.find((node) => node.id === "gate")?.begun).toBe(1);
  // of a service on loopback nobody knows what it calls
  expect(graphOf([call("127.0.0.1", "127.0.0.1", { errors: 5 }), call("::1", "::1", { errors: 5 })]).nodes.filter(beginsHere)).toEqual([]);
  // what a service calls itself explains nothing
  expect(graphOf([call("a", "a", { errors: 5 })]).nodes.filter(beginsHere)).toHaveLength(1);
});

test("an edge says how much of it is encrypted", () => {
  const graph = graphOf([call("a", "b", { requests: 30, tls: true }), call("a", "b", { requests: 10 }), call("a", "c", { protocol: "TLS" }), call("a", "d")]);
  expect(Object.fromEntries(graph.edges.map((edge) => [edge.to, edge.tls]))).toEqual({ b: 0.75, c: 1, d: 0 });
});

test("names are folded by what is no number in them", () => {
  const stems = { "web-7c9f8d-x2x4k": "web-*", "web-12": "web-*", "orders.shop3": "orders.shop-*", "10.1.2.3": "10.1.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", gateway: "gateway", "42": "42" };
  for (const [name, stem] of Object.entries(stems)) expect([name, stemOf(name)]).toEqual([name, stem]);
});

test("ten thousand services become some tens of groups, by the finest tag that is few enough or by kind", () => {
  expect(foldBy({ pod_group: 4000, pod_ns: 40, host: 120, az: 3 })).toBe("host");
  expect(foldBy(Object.fromEntries(FOLDS.map(([tag]) => [tag, 1])))).toBe("");
  const calls = Array.from({ length: 10_000 }, (_, at) => call(`app${at % 50}-pod-${at}`, `db${at % 20}-x-${at}`, { requests: at }));
  const folded = graphOf(foldByKind(calls));
  expect(folded.nodes.length).toBeLessThanOrEqual(MOST_GROUPS);
  expect(folded.edges.reduce((sum, edge) => sum + edge.requests, 0)).toBe(calls.reduce((sum, each) => sum + each.requests, 0));
  const alike = Array.from({ length: 10_000 }, (_, at) => call(`s${at}`, `s${at + 1}`, { protocol: at % 2 ? "HTTP" : "Redis" }));
  expect(graphOf(foldByKind(alike)).nodes.map((node) => node.id).sort()).toEqual(["HTTP services", "Redis services", "only callers"]);
});
