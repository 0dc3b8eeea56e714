/** The line of an edge: a curve from the right side (or the foot) of one box to the left side (or the head) of another; back and self edges run around. */

import { NODE_HEIGHT, NODE_WIDTH, type Place } from "./layout";

export interface Curve {
  /** As SVG's `d`. */
  path: string;
  /** The point at a share of the way, 0 to 1. */
  at: (t: number) => Place;
}

export function curve(from: Place, to: Place, offset: number, down = false): Curve {
  if (from === to) {
    const top = from.y - 4;
    const middle = from.x + NODE_WIDTH / 2;
    return bezier([middle - 24, top + 4], [middle - 50, top - 44], [middle + 50, top - 44], [middle + 24, top + 1]);
  }
  return down ? falling(from, to, offset) : running(from, to, offset);
}

function running(from: Place, to: Place, offset: number): Curve {
  const y1 = from.y + NODE_HEIGHT / 2 + offset;
  const y2 = to.y + NODE_HEIGHT / 2 + offset;
  const x1 = from.x + NODE_WIDTH;
  const x2 = to.x - 3;
  if (x2 <= x1) {
    const low = Math.max(y1, y2) + 60 + Math.abs(offset);
    return bezier([x1, y1], [x1 + 80, low], [x2 - 80, low], [x2, y2]);
  }
  const bend = (x2 - x1) / 2;
  return bezier([x1, y1], [x1 + bend, y1], [x2 - bend, y2], [x2, y2]);
}

function falling(from: Place, to: Place, offset: number): Curve {
  const x1 = from.x + NODE_WIDTH / 2 + 3 * offset;
  const x2 = to.x + NODE_WIDTH / 2 + 3 * offset;
  const y1 = from.y + NODE_HEIGHT;
  const y2 = to.y - 3;
  if (y2 <= y1) {
    const far = Math.max(x1, x2) + NODE_WIDTH + Math.abs(offset);
    return bezier([x1, y1], [far, y1 + 60], [far, y2 - 60], [x2, y2]);
  }
  const bend = (y2 - y1) / 2;
  return bezier([x1, y1], [x1, y1 + bend], [x2, y2 - bend], [x2, y2]);
}

type Point = [number, number];

function bezier(a: Point, b: Point, c: Point, d: Point): Curve {
  const part = (t: number, at: 0 | 1) => (1 - t) ** 3 * a[at] + 3 * (1 - t) ** 2 * t * b[at] + 3 * (1 - t) * t * t * c[at] + t ** 3 * d[at];
  return { path: `M${a.join(" ")}C${b.join(" ")} ${c.join(" ")} ${d.join(" ")}`, at: (t) => ({ x: part(t, 0), y: part(t, 1) }) };
}
