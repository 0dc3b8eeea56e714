/** PromQL: what Prometheus' API answers as a table and as lines, and completion of names. Pure. */

import type { Table } from "../api/table";
import type { Suggestion } from "./complete";
import type { Lines } from "./series";

interface Series {
  metric: Record<string, string>;
  values?: [number, string][];
  value?: [number, string];
}

export interface Matrix {
  table: Table;
  lines: Lines | null;
}

const FUNCTIONS = [
  "sum by ()", "avg by ()", "max by ()", "min by ()", "count by ()", "topk(5, )", "rate(", "increase(", "sum_over_time(", "avg_over_time(", "max_over_time(",
  "histogram_quantile(0.95, ", "label_replace(", "sort_desc(", "abs(", "clamp_min(", "time()", "vector(",
]; // prettier-ignore
const MOST_LINES = 12;

/** `{__name__="up", job="x"}` as a person writes it. */
export function nameOf(metric: Record<string, string>): string {
  const { __name__: name = "", ...labels } = metric;
  const inner = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(", ");
  return inner ? `${name}{${inner}}` : name || "value";
}

/** Reads an answer of `query_range`; the table has one row a series with its last, mean and greatest value. */
export function readMatrix(body: unknown): Matrix {
  const data = ((body as { data?: { result?: Series[] } } | null)?.data?.result ?? []) as Series[];
  const series = Array.isArray(data) ? data.filter((one) => one && typeof one === "object" && one.metric) : [];
  const points = (one: Series) => (one.values ?? (one.value ? [one.value] : [])).map(([at, value]) => [Number(at), Number(value)] as const);
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.metric)))].sort((a, b) => (a === "__name__" ? -1 : b === "__name__" ? 1 : a.localeCompare(b)));
  const column = (name: string, type = "string") => ({ name, type, unit: "" });
  const table: Table = {
    columns: [...labels.map((name) => column(name)), column("last", "float64"), column("mean", "float64"), column("greatest", "float64")],
    rows: series.map((one) => {
      const values = points(one).map(([, value]) => value).filter(Number.isFinite);
      const last = values.at(-1) ?? null;
      const mean = values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
      return [...labels.map((name) => one.metric[name] ?? ""), last, mean, values.length > 0 ? values.reduce((a, b) => Math.max(a, b)) : null];
    }),
    warnings: ((body as { warnings?: string[] } | null)?.warnings ?? []).map(String),
  };
  const times = [...new Set(series.flatMap((one) => points(one).map(([at]) => at)))].sort((a, b) => a - b);
  if (times.length < 2) return { table, lines: null };
  const place = new Map(times.map((at, index) => [at, index]));
  const lines = series.slice(0, MOST_LINES).map((one) => {
    const values: (number | null)[] = times.map(() => null);
    for (const [at, value] of points(one)) values[place.get(at) ?? 0] = Number.isFinite(value) ? value : null;
    return { label: nameOf(one.metric), values };
  });
  return { table, lines: { times, lines } };
}

/** What may stand where the caret is: names of metrics and functions; inside of braces and `by (...)` labels. */
export function completePromql(text: string, caret: number, names: string[], labels: string[], most = 12): Suggestion[] {
  const before = text.slice(0, caret);
  const word = /[A-Za-z_:][A-Za-z0-9_:]*$/.exec(before)?.[0] ?? "";
  if (word === "" || (before.match(/"/g)?.length ?? 0) % 2 === 1) return [];
  const head = before.slice(0, caret - word.length);
  const inLabels = head.lastIndexOf("{") > head.lastIndexOf("}") || /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*$/.test(head);
  const pool: Suggestion[] = inLabels
    ? labels.map((name) => ({ text: name, what: "label" }))
    : [...names.map((name) => ({ text: name, what: "metric" })), ...FUNCTIONS.map((name) => ({ text: name, what: "function" }))];
  const wanted = word.toLowerCase();
  const parts = pool.map((item) => ({ item, at: item.text.toLowerCase().indexOf(wanted) })).filter(({ item, at }) => at >= 0 && item.text !== word);
  parts.sort((a, b) => Number(a.at > 0) - Number(b.at > 0) || a.item.text.length - b.item.text.length);
  return parts.slice(0, most).map(({ item }) => item);
}

/** The same question for a shell. */
export function promqlCurl(text: string, origin: string, from: number, to: number, step: number): string {
  const quoted = text.replace(/'/g, "'\\''");
  return `curl -s '${origin}' --data-urlencode 'query=${quoted}' -d start=${from} -d end=${to} -d step=${step}`;
}
