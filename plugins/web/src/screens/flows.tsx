/** Connections: how they were made, how they went, how they ended. */

import { useMemo } from "preact/hooks";
import { columnIndex, measured, number, records } from "../api/table";
import { type Flow, readFlows } from "../data/flows";
import { requestsOf } from "../data/links";
import * as queries from "../data/queries";
import { parseFilters } from "../data/sql";
import { bytes, clock, count, day, duration, percent, seconds } from "../format";
import { useApp } from "../state/app";
import { useTable } from "../state/live";
import { setParams, usePlace } from "../state/location";
import { stepOf } from "../state/range";
import { Figure, Protocol } from "../ui/bits";
import { Chart } from "../ui/chart";
import { Detail } from "../ui/detail";
import { Facet, FilterBar } from "../ui/filters";
import { Packets } from "../ui/packets";
import { Panel } from "../ui/panel";
import { type Field, VirtualTable } from "../ui/table";

const FINE = new Set(["finish", "forced_report", "tcp_fin_client_rst"]);

/** How a flow ended: red for resets and refusals, grey for silence, which is how UDP always ends. */
export function Ended({ how, transport }: { how: string; transport: string }) {
  const tone = FINE.has(how) ? "good" : how === "unknown" || (how === "timeout" && transport !== "TCP") ? "calm" : how.includes("half") ? "warn" : "bad";
  return <span class={`pill ${tone}`}>{how === "forced_report" ? "still open" : how.replace(/_/g, " ")}</span>;
}

const FIELDS: Field<Flow>[] = [
  { key: "time", title: "Began", width: "116px", by: (f) => f.timeS, cell: (f) => clock(f.timeS, true), whole: (f) => `${day(f.timeS)} ${clock(f.timeS, true)}` },
  { key: "client", title: "Client", width: "minmax(120px, 1fr)", cell: (f) => f.client, whole: (f) => f.client },
  { key: "server", title: "Server", width: "minmax(120px, 1fr)", cell: (f) => f.server, whole: (f) => f.server },
  { key: "protocol", title: "Protocol", width: "minmax(96px, .8fr)", cell: (f) => <><span class="note">{f.transport}</span> <Protocol name={f.protocol} /></> },
  { key: "ended", title: "Ended by", width: "minmax(110px, 1fr)", cell: (f) => <Ended how={f.ended} transport={f.transport} />, whole: (f) => f.ended },
  { key: "lasted", title: "Lasted", width: "76px", right: true, cell: (f) => duration(f.lasted) },
  { key: "rtt", title: "RTT", hint: "Round trip of the handshake", width: "72px", right: true, by: (f) => f.rtt, cell: (f) => duration(f.rtt) },
  { key: "art", title: "Answer", hint: "Longest time to the first byte of an answer", width: "76px", right: true, by: (f) => f.art, cell: (f) => duration(f.art) },
  { key: "bytes", title: "Bytes", width: "72px", right: true, by: (f) => f.bytes, cell: (f) => bytes(f.bytes), whole: (f) => `${f.packets} packets` },
  { key: "retrans", title: "Resent", hint: "Retransmitted packets", width: "72px", right: true, by: (f) => f.retrans, cell: (f) => <span class={f.retrans ? "warn-text" : "muted"}>{f.retrans}</span> },
  { key: "requests", title: "Requests", width: "86px", right: true, cell: (f) => <span class={f.errors ? "bad-text" : ""} title={`${f.errors} errors`}>{count(f.requests)}</span> },
];

const FIRST = [
  "start_time", "end_time", "duration", "ip_0", "client_port", "ip_1", "server_port", "protocol", "l7_protocol", "close_type", "status", "rtt", "rtt_client",
  "rtt_server", "srt_max", "art_max", "packet_tx", "packet_rx", "byte_tx", "byte_rx", "retrans_tx", "retrans_rx", "zero_win_tx", "zero_win_rx", "flow_id",
] as const; // prettier-ignore

export function Flows() {
  const { range, tick } = useApp();
  const { params } = usePlace();
  const filters = useMemo(() => parseFilters(params["f"] ?? ""), [params["f"]]);
  const key = `${params["f"] ?? ""} ${params["from"] ?? ""} ${params["r"] ?? ""}`;
  const sort = params["sort"] ?? "";
  const healthAsked = queries.flowHealth(range, filters);
  const linesAsked = queries.flowTimeline(range, filters);
  const asked = queries.flows(range, filters, sort);
  const health = useTable(healthAsked, tick, `flow health ${key}`);
  const lines = useTable(linesAsked, tick, `flow lines ${key}`);
  const answer = useTable(asked, tick, `flows ${sort} ${key}`);
  const rows = useMemo(() => (answer.data ? readFlows(answer.data) : []), [answer.data]);
  const sums = health.data ? (records(health.data)[0] ?? {}) : {};
  const picked = params["row"] ?? "";
  const one = queries.oneRow("l4_flow_log", picked);
  const detail = useTable(one, 0);
  const flow = rows.find((row) => row.id === picked);
  const step = stepOf(range);
  const table = lines.data;
  const column = (name: string) => (table ? table.rows.map((row) => measured(row[columnIndex(table, name)])) : []);
  const times = table ? table.rows.map((row) => seconds(row[columnIndex(table, "t")]) ?? 0) : [];
  const capped = (answer.data?.rows.length ?? 0) >= queries.MOST_REQUESTS;

  return (
    <div class={`with-facets ${one ? "with-side" : ""}`}>
      <div class="facets" aria-label="Facets">
        {queries.FLOW_FACETS.map(([name, title], at) => (
          <Facet key={name} table="l4_flow_log" column={name} title={title} filters={filters} open={at < 5} />
        ))}
      </div>
      <div class="middle">
        <FilterBar filters={filters} searched="auto_service_1" examples="close_type=server_rst, server_port=443" />
        {health.error && <p class="problem">{health.error}</p>}
        <div class="figures">
          <Figure label="Opened" value={count(number(sums["opened"]))} note={`${count(number(sums["closed"]))} ended`} />
          <Figure label="Not established" value={count(number(sums["refused"]))} tone={number(sums["refused"]) ? "bad" : ""} note="refused or unanswered" />
          <Figure label="Broken" value={count(number(sums["broken"]))} tone={number(sums["broken"]) ? "bad" : ""} note="reset or fell silent" />
          <Figure label="Resent" value={percent(number(sums["packets"]) ? number(sums["retrans"]) / number(sums["packets"]) : 0)} note={`${count(number(sums["retrans"]))} of ${count(number(sums["packets"]))} packets`} tone={number(sums["retrans"]) ? "warn" : ""} />
          <Figure label="Handshake" value={duration(measured(sums["rtt"]))} note={`server ${duration(measured(sums["srt"]))}`} />
          <Figure label="Traffic" value={bytes(number(sums["bytes"]))} note={`${count(number(sums["zero_win"]))} closed windows`} />
        </div>
        <div class="two">
          <Panel title="Traffic" questions={[linesAsked]} {...lines} empty={times.length === 0}>
            <Chart label="Traffic" times={times} height={120} step={step} from={range.from} to={range.to} series={[{ label: "bytes a second", color: "--accent", bars: true, format: (v) => `${bytes(v)}/s`, values: column("bytes").map((v) => (v ?? 0) / step) }]} />
          </Panel>
          <Panel title="Delays" questions={[linesAsked]} {...lines} empty={times.length === 0}>
            <Chart
              label="Delays"
              times={times}
              height={120}
              step={step}
              from={range.from}
              to={range.to}
              series={[
                { label: "answer", color: "--warn", format: duration, values: column("art") },
                { label: "handshake", color: "--accent", format: duration, values: column("rtt") },
              ]}
            />
          </Panel>
        </div>
        <Panel
          title="Flows"
          class="tall"
          note={capped ? `the first ${count(rows.length)} flows` : `${count(rows.length)} flows, each with what it did in the time shown`}
          questions={[asked]}
          {...answer}
          empty={rows.length === 0}
          emptyText={filters.length ? "No flow matches these filters in the time shown." : undefined}
          tools={
            <select value={sort} aria-label="Order" onChange={(event) => setParams({ sort: event.currentTarget.value })}>
              <option value="">Newest first</option>
              <option value="bytes">Most bytes</option>
              <option value="retrans">Most resent</option>
              <option value="rtt">Longest handshake</option>
              <option value="art">Longest answer</option>
            </select>
          }
        >
          <VirtualTable label="Flows" order={`-${sort || "time"}`} onOrder={(next) => setParams({ sort: next.replace("-", "").replace("time", "") })} fields={FIELDS} rows={rows} rowKey={(row) => row.id} picked={picked} onPick={(row) => setParams({ row: row.id === picked ? "" : row.id }, picked !== "")} />
        </Panel>
      </div>
      {one && (
        <Detail title={flow ? `${flow.client} → ${flow.server}` : "Flow"} first={FIRST} question={one} answer={detail} flow={flow?.flow ?? ""}>
          {flow && (
            <p>
              <a class="button" href={requestsOf({ flow_id: flow.flow })}>
                Its requests
              </a>{" "}
              <Packets flow={flow.flow} />
            </p>
          )}
        </Detail>
      )}
    </div>
  );
}
