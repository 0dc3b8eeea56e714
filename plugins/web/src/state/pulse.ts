/** What the server itself says: components, counters, how many rows there are and of when. */

import { getJson, postQuery } from "../api/client";
import { measured, records, text } from "../api/table";
import { NO_SOURCES, type Sources } from "../data/counted";
import * as queries from "../data/queries";
import { seconds } from "../format";
import { type Counter, readStatus, type Status } from "../data/status";

export interface Pulse {
  status: Status;
  statusError: string;
  newest: number | null;
  oldest: number | null;
  requestRows: number;
  flowRows: number;
  storeError: string;
  sources: Sources;
}

export const NO_PULSE: Pulse = {
  status: { components: [], counters: [], plugins: [], storages: [], version: "" },
  statusError: "",
  newest: null,
  oldest: null,
  requestRows: 0,
  flowRows: 0,
  storeError: "",
  sources: NO_SOURCES,
};

export async function takePulse(signal: AbortSignal): Promise<Pulse> {
  const [status, l7, l4] = await Promise.allSettled([
    getJson("v1/status", signal),
    postQuery("flow_log", queries.sources().sql, signal),
    postQuery("flow_log", queries.newest("l4_flow_log").sql, signal),
  ]);
  signal.throwIfAborted();
  const pulse: Pulse = { ...NO_PULSE };
  if (status.status === "fulfilled") pulse.status = readStatus(status.value);
  else pulse.statusError = sentence(status.reason);
  for (const [answer, name] of [[l7, "requestRows"], [l4, "flowRows"]] as const) {
    if (answer.status === "rejected") {
      pulse.storeError = sentence(answer.reason);
      continue;
    }
    const kinds: Sources["kinds"] = {};
    for (const row of records(answer.value)) {
      const rows = measured(row["rows"]) ?? 0;
      pulse[name] += rows;
      const newest = seconds(row["newest"]);
      const oldest = seconds(row["oldest"]);
      if (rows === 0 || newest === null || oldest === null) continue;
      pulse.newest = Math.max(pulse.newest ?? 0, newest);
      pulse.oldest = Math.min(pulse.oldest ?? Infinity, oldest);
      if (name === "requestRows") kinds[text(row["signal_source"])] = { oldest, newest };
    }
    if (name === "requestRows") pulse.sources = { kinds };
  }
  return pulse;
}

function sentence(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

export type { Counter };
