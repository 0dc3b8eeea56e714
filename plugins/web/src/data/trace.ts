/** A trace as the server tells it, and what the screen makes of it: rows folded by message, the flame's levels. */

import { getJson } from "../api/client";

export interface Matched {
  first: string;
  second: string;
  value: string;
}

export interface Edge {
  kind: string;
  relation: "same" | "cause" | "sibling";
  confidence: number;
  reason: string;
  matched: Matched[];
}

export interface Candidate {
  id: number | null;
  row_id: string;
  point: string;
  name: string;
  server: string;
  start_us: number;
  duration_us: number;
}

export interface End {
  name: string;
  ip: string;
  port: number;
  process_id: number;
  process: string;
}

export interface Span {
  id: number;
  parent_id: number | null;
  hop: number;
  depth: number;
  row_id: string;
  point: string;
  signal: string;
  agent_id: number;
  name: string;
  kind: string;
  service: string;
  protocol: string;
  client: End;
  server: End;
  status: string;
  code: number | null;
  exception: string;
  start_us: number;
  end_us: number;
  duration_us: number;
  self_us: number;
  seen_start_us: number;
  is_critical: boolean;
  flow_id: string;
  ids: Record<string, string>;
  attributes: Record<string, string>;
  edge: Edge | null;
  missing: { kind: string; reason: string; matched: Matched[]; candidate: Candidate | null } | null;
}

export interface Summary {
  trace_ids: string[];
  row_id: string;
  start_us: number;
  end_us: number;
  duration_us: number;
  root: string;
  root_service: string;
  protocol: string;
  span_count: number;
  hop_count: number;
  error_count: number;
  root_count: number;
}

export interface Trace extends Summary {
  spans: Span[];
  services: { name: string; self_us: number; share: number; spans: number; errors: number }[];
  clocks: { name: string; offset_us: number; uncertainty_us: number; pairs: number; is_steady: boolean; against: string }[];
  notes: string[];
}

/** One row of the waterfall: a message or span, with the places where it was seen. */
export interface Line {
  head: Span;
  places: Span[];
  level: number;
}

export async function fetchTrace(id: string, signal: AbortSignal): Promise<Trace> {
  return (await getJson(`v1/trace/${encodeURIComponent(id)}`, signal)) as Trace;
}

export async function fetchTraces(where: string, from: number, to: number, limit: number, signal: AbortSignal): Promise<Summary[]> {
  const asked = new URLSearchParams({ where, start: String(from), end: String(to), limit: String(limit) });
  return ((await getJson(`v1/trace?${asked.toString()}`, signal)) as { traces: Summary[] }).traces;
}

export const idOf = (trace: Summary): string => trace.trace_ids[0] ?? trace.row_id;

/** Rows of one message follow each other; the level counts messages, not rows. */
export function linesOf(trace: Trace): Line[] {
  const lines: Line[] = [];
  const levels = new Map<number, number>();
  const spans = new Map(trace.spans.map((span) => [span.id, span]));
  let last: Line | undefined;
  for (const span of trace.spans) {
    if (last && last.head.hop === span.hop) {
      last.places.push(span);
      continue;
    }
    const above = span.parent_id === null ? undefined : spans.get(span.parent_id);
    const level = above ? (levels.get(above.hop) ?? 0) + 1 : 0;
    levels.set(span.hop, level);
    last = { head: span, places: [span], level };
    lines.push(last);
  }
  return lines;
}

/** Whom a row is about: the server of a message, the sender of a span. */
export const who = (span: Span): string => (span.point.endsWith("app") ? span.service : span.server.name);

export const failed = (span: Span): boolean => ["server_error", "client_error", "timeout"].includes(span.status);

/** The name of a row in an address: a trace's id, or what tells the row from all others. */
export function traceOfRow(traceId: string, flowId: string, startS: number | null, sequence: string): string {
  if (traceId !== "") return traceId;
  return startS === null || !/^\d+$/.test(flowId) ? "" : `${flowId}.${Math.round(startS * 1e6)}.${/^\d+$/.test(sequence) ? sequence : 0}`;
}
