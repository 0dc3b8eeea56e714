/** A service as the overview tells it: what it was asked in a range of time, and how it answered. */

import { measured, number, records, text, type Table } from "../api/table";
import { serverName } from "./names";

export interface Service {
  key: string;
  name: string;
  address: string;
  port: string;
  protocol: string;
  requests: number;
  errors: number;
  timeouts: number;
  delay: number | null;
  p50: number | null;
  p95: number | null;
  slowest: number | null;
  clients: number;
}

export function readServices(table: Table): Service[] {
  return records(table).map((row) => ({
    key: JSON.stringify([row["auto_service_1"], row["server_port"], row["l7_protocol"]]),
    name: serverName(text(row["auto_service_1"]), number(row["server_port"])),
    address: text(row["auto_service_1"]),
    port: text(row["server_port"]),
    protocol: text(row["l7_protocol"]),
    requests: number(row["requests"]),
    errors: number(row["errors"]),
    timeouts: number(row["timeouts"]),
    delay: measured(row["delay"]),
    p50: measured(row["p50"]),
    p95: measured(row["p95"]),
    slowest: measured(row["slowest"]),
    clients: number(row["clients"]),
  }));
}
