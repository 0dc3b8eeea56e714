/**
 * One call, one row. Where packets and processes (eBPF) are watched, a call is a row at each place it was seen, and OpenTelemetry's
 * spans tell of it again. Counted is the packet; what packets cannot read (inside TLS) counts at the server's process, or at the
 * client's where the server is no process of this machine. Without packets the processes count in that way, without either the spans.
 */

import type { Filter } from "./sql";

/** When rows of each kind were seen, in seconds since 1970. */
export interface Sources {
  kinds: Record<string, { oldest: number; newest: number }>;
}

export const NO_SOURCES: Sources = { kinds: {} };

interface Span {
  from: number;
  to: number;
  sources?: Sources;
}

const AT_ONE_END = "(observation_point = 's-p' or gprocess_id_1 = 0)";
/** A filter on one of these wants rows of other places too. */
const PLACES = new Set(["observation_point", "signal_source", "trace_id", "flow_id"]);

/** Conditions under which a row of the request log or of the metrics of applications counts; none where every row does. */
export function counted(range: Span, filters: Filter[] = []): string[] {
  if (filters.some((filter) => PLACES.has(filter.column))) return [];
  const kinds = Object.entries(range.sources?.kinds ?? {}).filter(([, seen]) => seen.oldest < range.to && seen.newest >= range.from);
  const there = new Set(kinds.map(([name]) => name));
  if (there.has("packet")) {
    if (there.size === 1) return [];
    const processes = there.has("ebpf") ? ` or (signal_source = 3 and is_tls = 1 and ${AT_ONE_END})` : "";
    return [processes ? `(signal_source = 0${processes})` : "signal_source = 0"];
  }
  return there.has("ebpf") ? [`signal_source = 3 and ${AT_ONE_END}`] : [];
}
