/** The line of an edge: a curve from the right side of one box to the left side of another; back and self edges run around. */

import { NODE_HEIGHT, NODE_WIDTH, type Place } from "./layout";

export interface Curve {
  /** As SVG's `d`. */
  path: string;
  /** The point at a share of the way, 0 to 1. */
  at: (t: number) => Place;
}

export function curve(from: Place, to: Place, offset: number): Curve {
  const y1 = from.y + NODE_HEIGHT / 2 + offset;
  const y2 = to.y + NODE_HEIGHT / 2 + offset;
  const x1 = from.x + NODE_WIDTH;
  const x2 = to.x - 3;
  if (from === to) {
    const top = from.y - 4;
    const middle = from.x + NODE_WIDTH / 2;
    return bezier([middle - 24, top + 4], [middle - 50, top - 44], [middle + 50, top - 44], [middle + 24, top + 1]);
  }
  if (x2 <= x1) {
    const low = Math.max(y1, y2) + 60 + Math.abs(offset);
    return bezier([x1, y1], [x1 + 80, low], [x2 - 80, low], [x2, y2]);
  }
  const bend = (x2 - x1) / 2;
  return bezier([x1, y1], [x1 + bend, y1], [x2 - bend, y2], [x2, y2]);
}

type Point = [number, number];

function bezier(a: Point, b: Point, c: Point, d: Point): Curve {
  const part = (t: number, at: 0 | 1) => (1 - t) ** 3 * a[at] + 3 * (1 - t) ** 2 * t * b[at] + 3 * (1 - t) * t * t * c[at] + t ** 3 * d[at];
  return { path: `M${a.join(" ")}C${b.join(" ")} ${c.join(" ")} ${d.join(" ")}`, at: (t) => ({ x: part(t, 0), y: part(t, 1) }) };
}
