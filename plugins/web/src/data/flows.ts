/** Flows of the rows that tell of them: one a minute while a flow lives, and one at its end, which may hold no packet any more. */

import { measured, number, records, type Table, text } from "../api/table";
import { seconds } from "../format";
import { serverName } from "./names";
import { identityOf } from "./queries";

export interface Flow {
  /** Of the newest row. */
  id: string;
  flow: string;
  timeS: number;
  client: string;
  server: string;
  transport: string;
  protocol: string;
  ended: string;
  lasted: number | null;
  rtt: number | null;
  art: number | null;
  packets: number;
  bytes: number;
  retrans: number;
  zeroWindows: number;
  requests: number;
  errors: number;
}

/** In the order of each flow's first row in the table. */
export function readFlows(table: Table): Flow[] {
  const found = new Map<string, { flow: Flow; endS: number }>();
  for (const row of records(table)) {
    const next: Flow = {
      id: identityOf("l4_flow_log", row),
      flow: text(row["flow_id"]),
      timeS: seconds(row["start_time"]) ?? 0,
      client: serverName(text(row["auto_service_0"]), number(row["client_port"])),
      server: serverName(text(row["auto_service_1"]), number(row["server_port"])),
      transport: text(row["protocol"]),
      protocol: text(row["l7_protocol"]),
      ended: text(row["close_type"]),
      lasted: measured(row["duration"]) || null,
      rtt: measured(row["rtt"]) || null,
      art: measured(row["art_max"]) || null,
      packets: number(row["packet"]),
      bytes: number(row["byte"]),
      retrans: number(row["retrans"]),
      zeroWindows: number(row["zero_win"]),
      requests: number(row["l7_request"]),
      errors: number(row["l7_error"]),
    };
    const endS = seconds(row["end_time"]) ?? 0;
    const known = found.get(next.flow);
    if (!known) found.set(next.flow, { flow: next, endS });
    else {
      const isNewer = isLater(next, endS, known.flow, known.endS);
      add(known.flow, next, isNewer);
      if (isNewer) known.endS = endS;
    }
  }
  return [...found.values()].map((each) => each.flow);
}

function isLater(next: Flow, endS: number, known: Flow, knownS: number): boolean {
  // the row of the end comes behind that of the minute, also where no packet came between them
  return endS > knownS || (endS === knownS && known.ended === "forced_report" && next.ended !== "forced_report");
}

function add(flow: Flow, row: Flow, isNewer: boolean): void {
  flow.timeS = Math.min(flow.timeS, row.timeS);
  if (isNewer) {
    flow.id = row.id;
    flow.ended = row.ended;
  }
  if (flow.protocol === "" || flow.protocol === "Unknown") flow.protocol = row.protocol;
  for (const name of ["packets", "bytes", "retrans", "zeroWindows", "requests", "errors"] as const) flow[name] += row[name];
  // these stand in every row of a flow, or are the worst of its minute
  for (const name of ["lasted", "rtt", "art"] as const) flow[name] = Math.max(flow[name] ?? 0, row[name] ?? 0) || null;
}
