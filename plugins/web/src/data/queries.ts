/** Every question that the screens ask, as text: what "copy as SQL" gives. */

import { counted } from "./counted";
import { precisionOf, type Range, stepOf } from "../state/range";
import { text, type Value } from "../api/table";
import { type Filter, quote, where } from "./sql";

export interface Question {
  db: string;
  sql: string;
  /** The same or the nearest question in PromQL, where there is one. */
  promql?: string;
}

const log = (sql: string): Question => ({ db: "flow_log", sql });
const metrics = (sql: string, promql?: string): Question => ({ db: "flow_metrics", sql, ...(promql ? { promql } : {}) });

export const FAILED = "response_status in ('server_error', 'client_error', 'timeout')";

export const newest = (table: string): Question =>
  log(`SELECT Max(time) AS newest, Min(time) AS oldest, Count(row) AS rows FROM ${table}`);

/** The same of the request log by what its rows were made from. */
export const sources = (): Question =>
  log("SELECT signal_source, Max(time) AS newest, Min(time) AS oldest, Count(row) AS rows FROM l7_flow_log GROUP BY signal_source");

export const timeline = (range: Range): Question =>
  metrics(
    `SELECT time(time, ${stepOf(range)}) AS t, Sum(request) AS requests, Sum(error) AS errors, Sum(timeout) AS timeouts, ` +
      `Avg(rrt) AS delay, Max(rrt_max) AS slowest FROM application_map.${precisionOf(range)} ` +
      `WHERE ${where(range, [], counted(range))} GROUP BY t ORDER BY t`,
    "sum(flow_metrics__application_map__request__1m) / 60",
  );

export const services = (range: Range): Question =>
  log(
    "SELECT auto_service_1, server_port, l7_protocol, Count(row) AS requests, Sum(error) AS errors, Sum(timeout) AS timeouts, " +
      "Avg(rrt) AS delay, Percentile(rrt, 50) AS p50, Percentile(rrt, 95) AS p95, Max(rrt) AS slowest, Uniq(ip_0) AS clients " +
      `FROM l7_flow_log WHERE ${where(range, [], counted(range))} ` +
      "GROUP BY auto_service_1, server_port, l7_protocol ORDER BY requests DESC LIMIT 200",
  );

export const failures = (range: Range): Question =>
  log(
    "SELECT l7_protocol, auto_service_1, server_port, request_type, endpoint, response_status, response_code, " +
      "Count(row) AS times, Any(response_exception) AS said FROM l7_flow_log " +
      `WHERE ${where(range, [], [FAILED, ...counted(range)])} ` +
      "GROUP BY l7_protocol, auto_service_1, server_port, request_type, endpoint, response_status, response_code " +
      "ORDER BY times DESC LIMIT 12",
  );

export const slowest = (range: Range): Question =>
  log(
    "SELECT flow_id, start_time, end_time, req_tcp_seq, l7_protocol, auto_service_1, server_port, request_type, request_resource, endpoint, response_status, " +
      `response_duration FROM l7_flow_log WHERE ${where(range, [], counted(range))} ORDER BY response_duration DESC LIMIT 8`,
  );

/** Ways to make ends of rows one node of the map: a name, and the columns of either end. */
export const GROUPS: [string, string][] = [
  ["auto_service", "Service"],
  ["auto_instance", "Instance"],
  ["ip", "Address"],
  ["pod", "Pod"],
  ["pod_group", "Workload"],
  ["pod_ns", "Namespace"],
  ["gprocess", "Process"],
  ["host", "Host"],
];

export const MOST_EDGES = 5000;

export const edges = (range: Range, group: string, filters: Filter[]): Question =>
  metrics(
    `SELECT ${group}_0 AS client, ${group}_1 AS server, server_port, l7_protocol, is_tls, Sum(request) AS requests, Sum(error) AS errors, ` +
      "Sum(timeout) AS timeouts, Avg(rrt) AS delay, Max(rrt_max) AS slowest, Any(ip_1) AS server_ip " +
      `FROM application_map.${precisionOf(range)} WHERE ${where(range, filters, counted(range, filters))} ` +
      `GROUP BY client, server, server_port, l7_protocol, is_tls ORDER BY requests DESC LIMIT ${MOST_EDGES}`,
    `sum by (${group}_0, ${group}_1, server_port, l7_protocol_enum) (flow_metrics__application_map__request__1m)`,
  );

/** How many groups each tag would make of all servers, and how many services there are. */
export const groupsOf = (range: Range, tags: string[], filters: Filter[]): Question =>
  metrics(
    `SELECT Uniq(auto_service_1) AS services, ${tags.map((tag) => `Uniq(${tag}_1) AS ${tag}`).join(", ")} ` +
      `FROM application_map.${precisionOf(range)} WHERE ${where(range, filters, counted(range, filters))}`,
  );

export const edgeTimeline = (range: Range, filters: Filter[]): Question =>
  metrics(
    `SELECT time(time, ${stepOf(range, 60)}) AS t, Sum(request) AS requests, Sum(error) AS errors, Avg(rrt) AS delay ` +
      `FROM application_map.${precisionOf(range)} WHERE ${where(range, filters, counted(range, filters))} GROUP BY t ORDER BY t`,
  );

export const REQUEST_COLUMNS = [
  "flow_id", "start_time", "end_time", "req_tcp_seq", "l7_protocol", "auto_service_0", "auto_service_1", "server_port", "request_type", "request_resource",
  "endpoint", "request_domain", "response_status", "response_code", "response_duration", "response_exception", "trace_id",
] as const; // prettier-ignore

export const MOST_REQUESTS = 5000;

export const requests = (range: Range, filters: Filter[], sort: string): Question =>
  log(
    `SELECT ${REQUEST_COLUMNS.join(", ")} FROM l7_flow_log WHERE ${where(range, filters, counted(range, filters))} ` +
      `ORDER BY ${sort === "slowest" ? "response_duration" : "start_time"} DESC LIMIT ${MOST_REQUESTS}`,
  );

export const requestCounts = (range: Range, filters: Filter[]): Question =>
  log(
    `SELECT time(time, ${stepOf(range)}) AS t, response_status, Count(row) AS rows FROM l7_flow_log ` +
      `WHERE ${where(range, filters, counted(range, filters))} GROUP BY t, response_status ORDER BY t`,
  );

/** Columns beside the table of requests, by which it can be narrowed. */
export const FACETS: [string, string][] = [
  ["l7_protocol", "Protocol"],
  ["response_status", "Status"],
  ["auto_service_1", "Server"],
  ["server_port", "Server port"],
  ["request_type", "Type"],
  ["endpoint", "Endpoint"],
  ["response_code", "Code"],
  ["request_domain", "Domain"],
  ["auto_service_0", "Client"],
  ["is_tls", "Encrypted"],
  ["observation_point", "Seen at"],
];

export const facet = (range: Range, filters: Filter[], column: string, table = "l7_flow_log"): Question =>
  log(
    `SELECT ${column} AS value, Count(row) AS rows FROM ${table} ` +
      `WHERE ${where(range, filters.filter((filter) => filter.column !== column), table === "l7_flow_log" ? counted(range, [...filters, { column, op: "=", value: "" }]) : [])} GROUP BY value ORDER BY rows DESC LIMIT 12`,
  );

/** What tells one row from all others: no table has a number for each row yet that is filled (`_id` is 0). */
export const IDENTITY: Record<string, readonly string[]> = {
  l7_flow_log: ["flow_id", "start_time", "end_time", "req_tcp_seq"],
  l4_flow_log: ["flow_id", "start_time", "end_time"],
};

export function identityOf(table: string, row: Record<string, Value>): string {
  return (IDENTITY[table] ?? []).map((name) => text(row[name])).join("|");
}

/** The whole row of an identity, as it may stand in an address; null for what is none. */
export function oneRow(table: string, identity: string): Question | null {
  const names = IDENTITY[table] ?? [];
  const values = identity.split("|");
  if (identity === "" || values.length !== names.length) return null;
  const conditions = names.map((name, at) => `${name} = ${/^\d+$/.test(values[at] ?? "") ? values[at] : quote(values[at] ?? "")}`);
  return log(`SELECT * FROM ${table} WHERE ${conditions.join(" and ")} LIMIT 1`);
}

export const explain = (flow: string): Question =>
  log(`SELECT time_ns, parser, op, verdict, offset, reason FROM explain WHERE flow_id = ${flow} ORDER BY time_ns LIMIT 200`);

export const FLOW_COLUMNS = [
  "flow_id", "start_time", "end_time", "protocol", "auto_service_0", "client_port", "auto_service_1", "server_port", "l7_protocol", "close_type", "status",
  "duration", "rtt", "srt_max", "art_max", "packet", "byte", "retrans", "zero_win", "l7_request", "l7_error",
] as const; // prettier-ignore

export const flows = (range: Range, filters: Filter[], sort: string): Question =>
  log(
    `SELECT ${FLOW_COLUMNS.join(", ")} FROM l4_flow_log WHERE ${where(range, filters)} ` +
      `ORDER BY ${FLOW_SORTS[sort] ?? "start_time"} DESC LIMIT ${MOST_REQUESTS}`,
  );

const FLOW_SORTS: Record<string, string> = { bytes: "byte", retrans: "retrans", rtt: "rtt", art: "art_max" };

export const FLOW_FACETS: [string, string][] = [
  ["close_type", "Closed by"],
  ["status", "Status"],
  ["protocol", "Transport"],
  ["l7_protocol", "Protocol"],
  ["auto_service_1", "Server"],
  ["server_port", "Server port"],
  ["auto_service_0", "Client"],
];

export const flowHealth = (range: Range, filters: Filter[]): Question =>
  log(
    "SELECT Sum(new_flow) AS opened, Sum(closed_flow) AS closed, Sum(tcp_establish_fail) AS refused, Sum(tcp_transfer_fail) AS broken, " +
      "Sum(retrans) AS retrans, Sum(packet) AS packets, Sum(byte) AS bytes, Sum(zero_win) AS zero_win, Avg(rtt) AS rtt, Avg(srt) AS srt, " +
      `Avg(art) AS art FROM l4_flow_log WHERE ${where(range, filters)}`,
  );

export const flowTimeline = (range: Range, filters: Filter[]): Question =>
  log(
    `SELECT time(time, ${stepOf(range)}) AS t, Sum(byte) AS bytes, Sum(retrans) AS retrans, Avg(rtt) AS rtt, Avg(art) AS art ` +
      `FROM l4_flow_log WHERE ${where(range, filters)} GROUP BY t ORDER BY t`,
  );

/** A text as one word of a shell, whatever is in it. */
const shellWord = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;

/** The same question for a shell. The address is that of the page's own server. */
export function curl(question: Question, origin: string): string {
  return `curl -s ${shellWord(origin)} -H 'content-type: application/json' -d ${shellWord(JSON.stringify({ db: question.db, sql: question.sql }))}`;
}
