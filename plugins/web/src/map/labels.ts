/** Where the labels of edges stand: on their own curve, and not on each other as far as there is room. Pure and deterministic. */

import type { Graph } from "./graph";
import { type Curve, curve } from "./curve";
import { type Layout, NODE_HEIGHT, NODE_WIDTH, type Place } from "./layout";

/** Two lines of small letters, in units of the picture. */
const WIDTH = 118;
const HEIGHT = 30;
/** Pixels between the lines of edges of the same two nodes. */
const BESIDE = 16;
/** Towards the called end first, where the edges of one caller have come apart. */
const WAYS = [0.64, 0.56, 0.48, 0.4, 0.72, 0.32];

/** With more edges only those of the picked node show labels: no search for room then. */
const MOST_MOVED = 400;

export interface Line {
  curve: Curve;
  label: Place;
}

/** The line and the label of every edge whose ends have a place, by the edge's id; busy edges choose first. */
export function linesOf(graph: Graph, layout: Layout): Map<string, Line> {
  const pairs = new Map<string, string[]>();
  for (const edge of graph.edges) {
    const pair = JSON.stringify([edge.from, edge.to]);
    pairs.set(pair, [...(pairs.get(pair) ?? []), edge.id]);
  }
  const lines = new Map<string, Line>();
  const taken: Place[] = [...layout.places.values()].map((at) => ({ x: at.x + NODE_WIDTH / 2, y: at.y + NODE_HEIGHT / 2 }));
  const nodes = taken.length;
  const overlap = (one: Place): number =>
    taken.reduce((sum, other, at) => {
      const isNode = at < nodes;
      const wide = (WIDTH + (isNode ? NODE_WIDTH : WIDTH)) / 2 - Math.abs(one.x - other.x);
      const high = (HEIGHT + (isNode ? NODE_HEIGHT : HEIGHT)) / 2 - Math.abs(one.y - other.y);
      return sum + (wide > 0 && high > 0 ? Math.min(wide, WIDTH) * high : 0);
    }, 0);
  for (const edge of [...graph.edges].sort((a, b) => b.requests - a.requests || (a.id < b.id ? -1 : 1))) {
    const from = layout.places.get(edge.from);
    const to = layout.places.get(edge.to);
    if (!from || !to) continue;
    const beside = pairs.get(JSON.stringify([edge.from, edge.to])) ?? [edge.id];
    const line = curve(from, to, (beside.indexOf(edge.id) - (beside.length - 1) / 2) * BESIDE, layout.down);
    let label = line.at(WAYS[0] ?? 0.5);
    let least = Infinity;
    for (const way of graph.edges.length > MOST_MOVED ? [] : WAYS) {
      const place = line.at(way);
      const covered = overlap(place);
      if (covered < least) [label, least] = [place, covered];
      if (least === 0) break;
    }
    taken.push(label);
    lines.set(edge.id, { curve: line, label });
  }
  return lines;
}
