/**
 * One call, one row. Where packets and processes (eBPF) are watched, a call is a row at each place it was seen, and OpenTelemetry's
 * spans tell of it again. Counted is the packet; what packets cannot read (inside TLS) counts at the server's process, or at the
 * client's where the server is no process of this machine. Without packets the processes count in that way, without either the spans.
 */

import type { Filter } from "./sql";

/** When rows of each kind were seen, in seconds since 1970, and the ports on which packets saw TLS. */
export interface Sources {
  kinds: Record<string, { oldest: number; newest: number }>;
  tlsPorts: number[];
}

export const NO_SOURCES: Sources = { kinds: {}, tlsPorts: [] };

interface Span {
  from: number;
  to: number;
  sources?: Sources;
}

const AT_ONE_END = "(observation_point = 's-p' or gprocess_id_1 = 0)";
/** A filter on one of these wants rows of other places too. */
const PLACES = new Set(["observation_point", "signal_source", "trace_id", "flow_id"]);

/** Conditions under which a row of the request log (`log`) or of the metrics counts; none where every row does. */
export function counted(range: Span, table: "log" | "metrics", filters: Filter[] = []): string[] {
  if (filters.some((filter) => PLACES.has(filter.column))) return [];
  const kinds = Object.entries(range.sources?.kinds ?? {}).filter(([, seen]) => seen.oldest < range.to && seen.newest >= range.from);
  const there = new Set(kinds.map(([name]) => name));
  if (there.has("packet")) {
    if (there.size === 1) return [];
    const ports = range.sources?.tlsPorts ?? [];
    const inside = table === "log" ? "is_tls = 1" : ports.length > 0 ? `server_port in (${ports.join(", ")})` : "";
    const processes = there.has("ebpf") && inside ? ` or (signal_source = 3 and ${inside} and ${AT_ONE_END})` : "";
    return [processes ? `(signal_source = 0${processes})` : "signal_source = 0"];
  }
  return there.has("ebpf") ? [`signal_source = 3 and ${AT_ONE_END}`] : [];
}
