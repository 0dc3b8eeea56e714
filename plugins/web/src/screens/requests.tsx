/** Every request: a table with facets, response times as a heat map, one row in full. */

import { useMemo } from "preact/hooks";
import { measured, number, records, type Table, text } from "../api/table";
import { flowsOf } from "../data/links";
import { serverName, whatOf } from "../data/names";
import * as queries from "../data/queries";
import { traceOfRow } from "../data/trace";
import { parseFilters } from "../data/sql";
import { clock, count, day, duration, seconds } from "../format";
import { useApp } from "../state/app";
import { useTable } from "../state/live";
import { hrefWithTime, setParams, usePlace } from "../state/location";
import { Outcome, Protocol } from "../ui/bits";
import { Detail } from "../ui/detail";
import { Facet, FilterBar } from "../ui/filters";
import { HeatMap } from "../ui/heatmap";
import { Packets } from "../ui/packets";
import { Panel } from "../ui/panel";
import { type Field, VirtualTable } from "../ui/table";
import { Tail } from "./tail";

interface Request {
  id: string;
  flow: string;
  timeS: number;
  protocol: string;
  client: string;
  server: string;
  what: string;
  status: string;
  code: string;
  us: number | null;
  said: string;
  trace: string;
}

function readRequests(table: Table): Request[] {
  return records(table).map((row) => ({
    id: queries.identityOf("l7_flow_log", row),
    flow: text(row["flow_id"]),
    timeS: seconds(row["start_time"]) ?? 0,
    protocol: text(row["l7_protocol"]),
    client: text(row["auto_service_0"]),
    server: serverName(text(row["auto_service_1"]), number(row["server_port"])),
    what: whatOf(row),
    status: text(row["response_status"]),
    code: text(row["response_code"]),
    us: measured(row["response_duration"]) || null,
    said: text(row["response_exception"]),
    trace: traceOfRow(text(row["trace_id"]), text(row["flow_id"]), seconds(row["start_time"]), text(row["req_tcp_seq"])),
  }));
}

const FIELDS: Field<Request>[] = [
  { key: "time", title: "Time", width: "108px", by: (r) => r.timeS, cell: (r) => clock(r.timeS, true), whole: (r) => `${day(r.timeS)} ${clock(r.timeS, true)}` },
  { key: "protocol", title: "Protocol", width: "118px", cell: (r) => <Protocol name={r.protocol} /> },
  { key: "client", title: "Client", width: "minmax(90px, .8fr)", cell: (r) => <span class="note">{r.client || "–"}</span>, whole: (r) => r.client },
  { key: "server", title: "Server", width: "minmax(100px, .9fr)", cell: (r) => r.server, whole: (r) => `${r.client} → ${r.server}` },
  { key: "what", title: "Request", width: "minmax(180px, 3fr)", cell: (r) => <span class="mono">{r.what}</span>, whole: (r) => r.what },
  { key: "status", title: "Status", width: "108px", cell: (r) => <Outcome status={r.status} />, whole: (r) => r.said || r.status },
  { key: "code", title: "Code", width: "56px", right: true, cell: (r) => r.code },
  { key: "trace", title: "Trace", width: "60px", cell: (r) => (r.trace ? <a href={hrefWithTime("trace", { id: r.trace })}>show</a> : "–"), whole: (r) => r.trace },
  { key: "took", title: "Took", width: "84px", right: true, by: (r) => r.us, cell: (r) => duration(r.us) },
];

const FIRST = [
  "start_time", "l7_protocol", "request_type", "request_resource", "endpoint", "request_domain", "response_status", "response_code",
  "response_exception", "response_result", "response_duration", "request_length", "response_length", "ip_0", "client_port", "ip_1", "server_port",
  "trace_id", "flow_id",
] as const; // prettier-ignore

export function Requests() {
  const { range, tick } = useApp();
  const { params } = usePlace();
  const filters = useMemo(() => parseFilters(params["f"] ?? ""), [params["f"]]);
  const sort = params["sort"] === "slowest" ? "slowest" : "newest";
  const asked = queries.requests(range, filters, sort);
  const answer = useTable(asked, tick, `requests ${sort} ${params["f"] ?? ""} ${params["from"] ?? ""} ${params["r"] ?? ""}`);
  const rows = useMemo(() => (answer.data ? readRequests(answer.data) : []), [answer.data]);
  const dots = useMemo(
    () => rows.filter((row) => row.us !== null).map((row) => ({ timeS: row.timeS, us: row.us ?? 0, failed: /error|timeout/.test(row.status) })),
    [rows],
  );
  const picked = params["row"] ?? "";
  const one = queries.oneRow("l7_flow_log", picked);
  const detail = useTable(one, 0);
  const capped = rows.length >= queries.MOST_REQUESTS;
  const note = capped ? `the ${sort} ${count(rows.length)}; narrow the time or filter for the others` : `${count(rows.length)} rows`;
  const following = params["tail"] === "1";
  const pickedRow = rows.find((row) => row.id === picked);

  return (
    <div class={`with-facets ${one ? "with-side" : ""}`}>
      <div class="facets" aria-label="Facets">
        {queries.FACETS.map(([column, title], at) => (
          <Facet key={column} table="l7_flow_log" column={column} title={title} filters={filters} open={at < 5} />
        ))}
      </div>
      <div class="middle">
        <FilterBar filters={filters} searched="request_resource" />
        {following && <Tail filters={filters} />}
        <Panel title="Response times" note={dots.length ? note : ""} questions={[asked]} {...answer} empty={dots.length === 0} emptyText="No request with a measured time here.">
          <HeatMap dots={dots} from={range.from} to={range.to} />
        </Panel>
        <Panel
          title="Requests"
          class="tall"
          note={note}
          questions={[asked]}
          {...answer}
          empty={rows.length === 0}
          emptyText={filters.length ? "No request matches these filters in the time shown." : undefined}
          tools={
            <>
            {!following && (
              <button type="button" class="quiet" onClick={() => setParams({ tail: "1" })}>
                Follow live
              </button>
            )}
            <label class="inline">
              <select value={sort} aria-label="Order" onChange={(event) => setParams({ sort: event.currentTarget.value === "slowest" ? "slowest" : "" })}>
                <option value="newest">Newest first</option>
                <option value="slowest">Slowest first</option>
              </select>
            </label>
            </>
          }
        >
          <VirtualTable label="Requests" order={sort === "slowest" ? "-took" : "-time"} onOrder={(next) => setParams({ sort: /took/.test(next) ? "slowest" : "" })} fields={FIELDS} rows={rows} rowKey={(row) => row.id} picked={picked} onPick={(row) => setParams({ row: row.id === picked ? "" : row.id }, picked !== "")} />
        </Panel>
      </div>
      {one && (
        <Detail title={pickedRow ? pickedRow.what || pickedRow.protocol : "Request"} first={FIRST} question={one} answer={detail} flow={flowIn(detail.data)}>
          <p>
            <a class="button" href={flowsOf({ flow_id: flowIn(detail.data) })}>
              Its flow
            </a>{" "}
            {pickedRow?.trace && (
              <a class="button" href={hrefWithTime("trace", { id: pickedRow.trace })}>
                Its trace
              </a>
            )}{" "}
            <Packets flow={flowIn(detail.data)} />
          </p>
        </Detail>
      )}
    </div>
  );
}

function flowIn(table: Table | null): string {
  const row = table ? records(table)[0] : undefined;
  return row ? text(row["flow_id"]) : "";
}
