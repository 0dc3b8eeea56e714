/** Whether an answer can be drawn over time, and as which lines. Pure. */

import { measured, type Table, text } from "../api/table";
import { seconds } from "../format";

export interface Line {
  label: string;
  values: (number | null)[];
}

export interface Lines {
  times: number[];
  lines: Line[];
}

const MOST_LINES = 8;

/** A column of times, one or more of numbers, and texts that tell the lines apart; null when there is no such thing. */
export function linesOf(table: Table): Lines | null {
  const sample = table.rows.slice(0, 50);
  if (sample.length < 2) return null;
  const isTime = (index: number) =>
    (/(^|_)(t|time|toi|minute|hour|bucket)$/i.test(table.columns[index]?.name ?? "") || table.columns[index]?.type === "time") &&
    sample.every((row) => seconds(row[index]) !== null && (seconds(row[index]) ?? 0) > 1e8);
  const indexes = [...table.columns.keys()];
  const time = indexes.find(isTime);
  if (time === undefined) return null;
  const numeric = indexes.filter((index) => index !== time && sample.some((row) => typeof row[index] === "number") && sample.every((row) => row[index] === null || typeof row[index] === "number"));
  const names = indexes.filter((index) => index !== time && !numeric.includes(index));
  if (numeric.length === 0) return null;
  const times = [...new Set(table.rows.map((row) => seconds(row[time]) ?? 0))].sort((a, b) => a - b);
  if (times.length < 2) return null;
  const place = new Map(times.map((at, index) => [at, index]));
  const lines = new Map<string, Line>();
  for (const row of table.rows) {
    const group = names.map((index) => text(row[index])).join(" ");
    for (const index of numeric) {
      const label = [group, numeric.length > 1 || group === "" ? (table.columns[index]?.name ?? "") : ""].filter(Boolean).join(" · ");
      let line = lines.get(label);
      if (!line) {
        if (lines.size >= MOST_LINES) continue;
        line = { label, values: times.map(() => null) };
        lines.set(label, line);
      }
      line.values[place.get(seconds(row[time]) ?? 0) ?? 0] = measured(row[index]);
    }
  }
  return { times, lines: [...lines.values()] };
}
