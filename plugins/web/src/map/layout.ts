/**
 * Places nodes in layers from callers to called, left to right or, where there is more height than width, downwards. Layered drawing after Sugiyama, Tagawa and Toda (1981): edges of
 * cycles are turned round, nodes get the longest path as their column, and sweeps by the mean of the neighbours reduce crossings.
 * Deterministic: the same graph gives the same picture, whatever the order of its rows.
 */

import type { Graph } from "./graph";

export interface Place {
  x: number;
  y: number;
}

export interface Layout {
  places: Map<string, Place>;
  width: number;
  height: number;
  /** Callers stand above what they call, instead of left of it. */
  down: boolean;
}

/** The room there is, in pixels. */
export interface Room {
  width: number;
  height: number;
}

export const NODE_WIDTH = 176;
export const NODE_HEIGHT = 46;
/** Between layers, where the labels of edges stand; and between nodes of a layer: at least, and in a small graph, which takes the room there is. */
const GAPS = {
  right: { layer: 156, least: 26, most: 104 },
  down: { layer: 88, least: 26, most: 150 },
};
/** Height by width of the picture that a small graph tries to fill, where nobody says. */
const ROOM: Room = { width: 1000, height: 420 };
/** Left to right is read more easily: downwards only where that is so much larger. */
const MUCH = 1.3;
const MARGIN = 30;
const SWEEPS = 8;
/** A column longer than this is broken into several: a client of 400 servers would be a picture of one pixel's width. */
const MOST_IN_COLUMN = 24;

export function layoutOf(graph: Graph, room: Room = ROOM): Layout {
  const ids = graph.nodes.map((node) => node.id).sort();
  const index = new Map(ids.map((id, at) => [id, at]));
  const next: number[][] = ids.map(() => []);
  const back: number[][] = ids.map(() => []);
  const seen = new Set<string>();
  for (const edge of [...graph.edges].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const from = index.get(edge.from);
    const to = index.get(edge.to);
    if (from === undefined || to === undefined || from === to || seen.has(`${from} ${to}`)) continue;
    seen.add(`${from} ${to}`);
    next[from]?.push(to);
  }
  breakCycles(next);
  next.forEach((targets, from) => targets.forEach((to) => back[to]?.push(from)));
  const layers = split(order(columns(next, back), next, back));
  const [right, down] = [false, true].map((way) => place(layers, ids, back, room, way)) as [Layout, Layout];
  return scaleOf(down, room) > MUCH * scaleOf(right, room) ? down : right;
}

/** How large a layout can be shown; never larger than life. */
function scaleOf(layout: Layout, room: Room): number {
  return Math.min(1, room.width / layout.width, room.height / layout.height);
}

/** Turns every edge that leads back to a node on the way to it, walking depth first without recursion. */
function breakCycles(next: number[][]): void {
  const state = new Uint8Array(next.length); // 0 new, 1 on the way, 2 done
  const turned: [number, number][] = [];
  const called = new Set(next.flat());
  const starts = [...next.keys()].sort((a, b) => Number(called.has(a)) - Number(called.has(b)) || a - b);
  for (const start of starts) {
    if (state[start] !== 0) continue;
    const stack: [number, number][] = [[start, 0]];
    state[start] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as [number, number];
      const targets = next[top[0]] ?? [];
      const to = targets[top[1]];
      if (to === undefined) {
        state[top[0]] = 2;
        stack.pop();
      } else if (state[to] === 1) {
        targets.splice(top[1], 1);
        turned.push([to, top[0]]);
      } else {
        top[1] += 1;
        if (state[to] === 0) {
          state[to] = 1;
          stack.push([to, 0]);
        }
      }
    }
  }
  // only now, since `to` may still have been walking through its own targets; a turned edge runs along the tree, so it closes no cycle
  for (const [from, to] of turned) if (!next[from]?.includes(to)) next[from]?.push(to);
}

/** Longest path from the left; lone sources then move right, beside what they call. */
function columns(next: number[][], back: number[][]): number[][] {
  const waiting = back.map((sources) => sources.length);
  const column = new Array<number>(next.length).fill(0);
  const ready = [...next.keys()].filter((at) => waiting[at] === 0);
  for (let at = ready.shift(); at !== undefined; at = ready.shift()) {
    for (const to of next[at] ?? []) {
      column[to] = Math.max(column[to] ?? 0, (column[at] ?? 0) + 1);
      waiting[to] = (waiting[to] ?? 1) - 1;
      if (waiting[to] === 0) ready.push(to);
    }
  }
  back.forEach((sources, at) => {
    const targets = next[at] ?? [];
    if (sources.length === 0 && targets.length > 0) column[at] = Math.min(...targets.map((to) => column[to] ?? 1)) - 1;
  });
  const layers: number[][] = [];
  column.forEach((layer, at) => (layers[layer] ??= []).push(at));
  return layers.filter((layer) => layer !== undefined && layer.length > 0);
}

function order(layers: number[][], next: number[][], back: number[][]): number[][] {
  const rank = new Map<number, number>();
  const number = (layer: number[]) => layer.forEach((at, position) => rank.set(at, position / Math.max(1, layer.length)));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const layer of forward ? layers : [...layers].reverse()) {
      const mean = new Map(
        layer.map((at) => {
          const beside = (forward ? back[at] : next[at]) ?? [];
          const sum = beside.reduce((total, other) => total + (rank.get(other) ?? 0), 0);
          return [at, beside.length > 0 ? sum / beside.length : (rank.get(at) ?? 0)];
        }),
      );
      layer.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || a - b);
      number(layer);
    }
  }
  return layers;
}

function split(layers: number[][]): number[][] {
  return layers.flatMap((layer) => {
    const parts = Math.ceil(layer.length / MOST_IN_COLUMN);
    const size = Math.ceil(layer.length / parts);
    return Array.from({ length: parts }, (_, part) => layer.slice(part * size, (part + 1) * size));
  });
}

/** Places along a layer follow the callers where there is room, so that a chain is a straight line. */
function place(layers: number[][], ids: string[], back: number[][], room: Room, down: boolean): Layout {
  const gaps = down ? GAPS.down : GAPS.right;
  const [deep, wide] = down ? [NODE_HEIGHT, NODE_WIDTH] : [NODE_WIDTH, NODE_HEIGHT];
  const most = Math.max(1, ...layers.map((layer) => layer.length));
  const depth = 2 * MARGIN + layers.length * deep + Math.max(0, layers.length - 1) * gaps.layer;
  const breadth = (down ? room.width / room.height : room.height / room.width) * depth;
  const step = wide + Math.min(gaps.most, Math.max(gaps.least, breadth / most - wide));
  const along = new Map<number, number>();
  for (const layer of layers) {
    const wanted = layer.map((at, position) => {
      const callers = (back[at] ?? []).flatMap((other) => along.get(other) ?? []);
      const middle = ((most - layer.length) * step) / 2 + position * step;
      return callers.length > 0 && layer.length < 6 ? callers.reduce((sum, one) => sum + one, 0) / callers.length : middle;
    });
    // each at least a step behind the one before, then all moved back to where they are wanted on average
    let last = -Infinity;
    const found = wanted.map((one) => (last = Math.max(one, last + step)));
    const shift = layer.length > 0 ? wanted.reduce((sum, one, at) => sum + one - (found[at] ?? 0), 0) / layer.length : 0;
    layer.forEach((at, position) => along.set(at, (found[position] ?? 0) + shift));
  }
  const first = [...along.values()].reduce((least, one) => Math.min(least, one), Infinity);
  const places = new Map<string, Place>();
  let end = 0;
  layers.forEach((layer, number) => {
    for (const at of layer) {
      const across = MARGIN + (along.get(at) ?? 0) - first;
      const ahead = MARGIN + number * (deep + gaps.layer);
      end = Math.max(end, across + wide + MARGIN);
      places.set(ids[at] ?? "", down ? { x: across, y: ahead } : { x: ahead, y: across });
    }
  });
  return { places, width: down ? end : depth, height: down ? depth : end, down };
}
