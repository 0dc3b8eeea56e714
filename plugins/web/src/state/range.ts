/** The range of time that is shown. Live it ends now; for a capture of last week it ends where the data ends. */

import type { Sources } from "../data/counted";
import type { Params } from "./location";

export interface Range {
  /** Seconds since 1970, the end excluded. */
  from: number;
  to: number;
  /** Goes on with the clock. */
  live: boolean;
  /** Moved back to where there is data, since there is none near now. */
  moved: boolean;
  /** What was seen, and when: it decides which rows count. */
  sources?: Sources;
  /** When the first row was, where it is known. */
  oldest?: number | null;
}

/** Seconds of a range in which somebody watched: what counts are divided by. */
export function watchedOf(range: Range): number {
  return Math.max(1, range.to - Math.max(range.from, Math.min(range.oldest ?? 0, range.to - 1)));
}

export const CHOICES: [string, string][] = [
  ["1m", "1 minute"],
  ["5m", "5 minutes"],
  ["15m", "15 minutes"],
  ["1h", "1 hour"],
  ["6h", "6 hours"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
];

export const DEFAULT_RANGE = "15m";

/** Seconds that a chart shows at least while it goes on. */
const SHORTEST_LIVE = 60;

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Length of "15m" in seconds; null for what is no length. */
export function lengthOf(text: string): number | null {
  const match = /^(\d{1,5})([smhd])$/.exec(text);
  const size = match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0) : 0;
  return size > 0 && size <= 366 * 86_400 ? size : null;
}

/** What the address asks for. Without data, or with data of the last minutes, a relative range ends now. */
export function rangeOf(params: Params, nowS: number, oldestS: number | null, newestS: number | null): Range {
  const from = Number(params["from"]);
  const to = Number(params["to"]);
  if (Number.isFinite(from) && Number.isFinite(to) && from > 0 && to > from) {
    return { from: Math.floor(from), to: Math.ceil(to), live: false, moved: false };
  }
  const length = lengthOf(params["r"] ?? "") ?? 900;
  const end = Math.floor(nowS) + 1;
  // what there is, when it is shorter than the range: a narrow band of data in an empty chart helps nobody, and a rate
  // over a time in which nobody watched is wrong
  if (newestS === null || newestS >= end - Math.max(length, 120)) {
    const since = oldestS === null ? 0 : Math.min(Math.floor(oldestS), end - SHORTEST_LIVE);
    return { from: Math.max(end - length, since), to: end, live: true, moved: false };
  }
  const start = oldestS !== null && newestS - oldestS < length ? Math.floor(oldestS) : Math.floor(newestS) + 1 - length;
  return { from: start, to: Math.floor(newestS) + 1, live: false, moved: true };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** Width of a bucket, so that a chart has about `points` of them. */
export function stepOf(range: Range, points = 90): number {
  const ideal = (range.to - range.from) / points;
  return STEPS.find((step) => step >= ideal) ?? 86_400;
}

/** Rows of seconds are kept for a day and are many: wider ranges read those of minutes. */
export function precisionOf(range: Range): "1s" | "1m" {
  return range.to - range.from <= 3600 ? "1s" : "1m";
}

/** The time before, as long. */
export function before(range: Range): Range {
  return { ...range, from: range.from - (range.to - range.from), to: range.from, live: false };
}
