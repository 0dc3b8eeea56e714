/** Rows of who called whom. */

import { measured, number, records, type Table, text } from "../api/table";
import type { Call } from "../map/graph";

/** The answer to `queries.edges`. */
export function readCalls(table: Table): Call[] {
  return records(table).map((row) => ({
    client: text(row["client"]),
    server: text(row["server"]),
    port: number(row["server_port"]),
    protocol: text(row["l7_protocol"]),
    requests: number(row["requests"]),
    errors: number(row["errors"]),
    timeouts: number(row["timeouts"]),
    delay: measured(row["delay"]),
    slowest: measured(row["slowest"]),
    serverIp: text(row["server_ip"]),
    tls: /^(1|true)$/.test(text(row["is_tls"])),
  }));
}
