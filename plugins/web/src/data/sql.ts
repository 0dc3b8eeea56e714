/** Pieces of SQL. Every value goes through here, so that a name with quotes in it stays a value. */

import type { Range } from "../state/range";

/** A text as a literal: one quote inside is written as two, a backslash too. */
export function quote(value: string): string {
  return `'${value.replace(/\\/g, "\\\\").replace(/'/g, "''")}'`;
}

export interface Filter {
  column: string;
  op: "=" | "!=" | "like";
  value: string;
}

/** `column=value`, `column!=value`, `column~text`: how filters stand in an address. */
export function parseFilter(text: string): Filter | null {
  const match = /^([a-z_][a-z0-9_.]*)(!=|=|~)([\s\S]*)$/i.exec(text);
  if (!match) return null;
  const [, column = "", sign = "", value = ""] = match;
  return { column, op: sign === "~" ? "like" : (sign as "=" | "!="), value };
}

export function writeFilter(filter: Filter): string {
  return `${filter.column}${filter.op === "like" ? "~" : filter.op}${filter.value}`;
}

export function parseFilters(text: string): Filter[] {
  if (text === "") return [];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.flatMap((item) => (typeof item === "string" ? (parseFilter(item) ?? []) : [])) : [];
  } catch {
    return [];
  }
}

export function writeFilters(filters: Filter[]): string {
  return filters.length === 0 ? "" : JSON.stringify(filters.map(writeFilter));
}

/** Columns of numbers are compared with numbers; all others with texts. */
const NUMBERS = new Set(["server_port", "client_port", "response_code", "flow_id", "process_id_0", "process_id_1", "is_tls"]);

export function condition(filter: Filter): string {
  if (filter.op === "like") return `${filter.column} like ${quote(`*${filter.value}*`)}`;
  if (filter.value === "" && NUMBERS.has(filter.column)) return `${filter.column} is ${filter.op === "=" ? "" : "not "}null`;
  const literal = NUMBERS.has(filter.column) && /^-?\d+$/.test(filter.value) ? filter.value : quote(filter.value);
  return `${filter.column} ${filter.op} ${literal}`;
}

/** Values of one column are alternatives, different columns are demands. */
export function where(range: Range, filters: Filter[], more: string[] = []): string {
  const parts = [`time >= ${range.from}`, `time < ${range.to}`, ...more];
  const columns = new Set(filters.map((filter) => filter.column));
  for (const column of columns) {
    const own = filters.filter((filter) => filter.column === column);
    const wanted = own.filter((filter) => filter.op !== "!=").map(condition);
    if (wanted.length === 1) parts.push(wanted[0] as string);
    if (wanted.length > 1) parts.push(`(${wanted.join(" or ")})`);
    parts.push(...own.filter((filter) => filter.op === "!=").map(condition));
  }
  return parts.join(" and ");
}
