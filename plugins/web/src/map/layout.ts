/**
 * Places nodes in columns from callers to called, left to right. Layered drawing after Sugiyama, Tagawa and Toda (1981): edges of
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
}

export const NODE_WIDTH = 176;
export const NODE_HEIGHT = 46;
const GAP_X = 156;
const GAP_Y = 26;
/** A small graph takes the room there is: its labels come apart. */
const MOST_GAP_Y = 104;
/** Height by width of the picture that a small graph tries to fill. */
const SHAPE = 0.42;
const MARGIN = 30;
const SWEEPS = 8;
/** A column longer than this is broken into several: a client of 400 servers would be a picture of one pixel's width. */
const MOST_IN_COLUMN = 24;

export function layoutOf(graph: Graph): Layout {
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
  return place(layers, ids, back);
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

/** Heights follow the callers where there is room, so that a chain is a straight line. */
function place(layers: number[][], ids: string[], back: number[][]): Layout {
  const most = Math.max(1, ...layers.map((layer) => layer.length));
  const width = 2 * MARGIN + layers.length * NODE_WIDTH + Math.max(0, layers.length - 1) * GAP_X;
  const step = NODE_HEIGHT + Math.min(MOST_GAP_Y, Math.max(GAP_Y, (SHAPE * width) / most - NODE_HEIGHT));
  const tallest = most * step;
  const places = new Map<string, Place>();
  layers.forEach((layer, column) => {
    const wanted = layer.map((at, position) => {
      const callers = (back[at] ?? []).flatMap((other) => places.get(ids[other] ?? "")?.y ?? []);
      const middle = (tallest - layer.length * step) / 2 + position * step;
      return callers.length > 0 && layer.length < 6 ? callers.reduce((sum, y) => sum + y, 0) / callers.length - MARGIN : middle;
    });
    // each at least a step below the one before, then all moved back to where they are wanted on average
    let lowest = -Infinity;
    const ys = wanted.map((y) => (lowest = Math.max(y, lowest + step)));
    const shift = layer.length > 0 ? wanted.reduce((sum, y, at) => sum + y - (ys[at] ?? 0), 0) / layer.length : 0;
    layer.forEach((at, position) => {
      places.set(ids[at] ?? "", { x: MARGIN + column * (NODE_WIDTH + GAP_X), y: MARGIN + (ys[position] ?? 0) + shift });
    });
  });
  const top = Math.min(MARGIN, ...[...places.values()].map((at) => at.y));
  for (const at of places.values()) at.y += MARGIN - top;
  return {
    places,
    width,
    height: Math.max(0, ...[...places.values()].map((at) => at.y)) + NODE_HEIGHT + MARGIN,
  };
}
