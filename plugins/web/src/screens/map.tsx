/** Universal service map: who calls whom, how much, how fast, what fails. A pick tells more and leads to the requests. */

import { useMemo } from "preact/hooks";
import { getJson } from "../api/client";
import { columnIndex, measured, number, records, type Table, text } from "../api/table";
import { requestsOf } from "../data/links";
import { readCatalog } from "../data/complete";
import { isAddress } from "../data/names";
import { parseFilters, type Filter } from "../data/sql";
import * as queries from "../data/queries";
import { clock, count, duration, percent, rate, seconds } from "../format";
import { busiest, type Call, type Edge, type Graph, graphOf } from "../map/graph";
import { MapView } from "../map/view";
import { useApp } from "../state/app";
import { useAsk, useTable } from "../state/live";
import { setParams, usePlace } from "../state/location";
import { type Range, stepOf } from "../state/range";
import { Chart } from "../ui/chart";
import { ErrorShare, Protocol } from "../ui/bits";
import { Panel } from "../ui/panel";

const MOST_NODES = 500;
const SLICES = 24;

/** Which part of the time shown is looked at; 0 is all of it. */
function sliceOf(text: string): number {
  const at = Number(text);
  return Number.isInteger(at) && at > 0 && at <= SLICES ? at : 0;
}

function partOf(range: Range, at: number): Range {
  const step = Math.max(1, (range.to - range.from) / SLICES);
  const from = Math.floor(range.from + (at - 1) * step);
  return { ...range, from, to: Math.max(from + 1, Math.ceil(range.from + at * step)) };
}

/** What the catalogue says both ends of a call have, besides what is offered by name. In the address also one of a map: k8s.label.app */
const TAG = /^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)*$/;

async function askTags(signal: AbortSignal): Promise<string[]> {
  const [table] = readCatalog({ tables: [await getJson("v1/catalog?table=flow_metrics.application_map", signal)] });
  const names = new Set(table?.columns.filter((column) => column.kind === "tag" || !column.name.includes("_id_")).map((column) => column.name));
  const offered = new Set(queries.GROUPS.map(([name]) => name));
  return [...names]
    .filter((name) => name.endsWith("_0") && names.has(`${name.slice(0, -2)}_1`))
    .map((name) => name.slice(0, -2))
    .filter((name) => TAG.test(name) && !name.includes(".") && !/^(ip4|ip6|tag_source|.*_id|.*_type)$/.test(name) && !offered.has(name))
    .sort();
}

function readCalls(table: Table): Call[] {
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
  }));
}

export function MapScreen() {
  const { range, tick } = useApp();
  const { params } = usePlace();
  const asksBy = params["by"] ?? "";
  const group = TAG.test(asksBy) ? asksBy : "auto_service";
  const others = useAsk(askTags, "map tags", 0).data ?? [];
  const isListed = [...queries.GROUPS.map(([name]) => name), ...others].includes(group);
  const protocol = params["protocol"] ?? "";
  const wanted = (params["find"] ?? "").toLowerCase();
  const at = sliceOf(params["at"] ?? "");
  const part = at === 0 ? range : partOf(range, at);
  const asked = queries.edges(part, group, parseFilters(params["f"] ?? ""));
  const answer = useTable(asked, tick, `edges ${group} ${params["f"] ?? ""} ${at}`);
  const calls = useMemo(() => (answer.data ? readCalls(answer.data) : []), [answer.data]);
  const protocols = [...new Set(calls.map((call) => call.protocol))].sort();
  const all = useMemo(
    () =>
      graphOf(
        calls.filter(
          (call) =>
            (protocol === "" || call.protocol === protocol) &&
            (wanted === "" || `${call.client} ${call.server}:${call.port}`.toLowerCase().includes(wanted)),
        ),
      ),
    [calls, protocol, wanted],
  );
  const graph = useMemo(() => busiest(all, MOST_NODES), [all]);
  const lasting = Math.max(1, part.to - part.from);
  const picked = params["pick"] ?? "";
  const known = graph.nodes.some((node) => node.id === picked) || graph.edges.some((edge) => edge.id === picked);
  const hidden = all.nodes.length - graph.nodes.length;

  const tools = (
    <>
      <label class="inline">
        Group by{" "}
        <select value={group} onChange={(event) => setParams({ by: event.currentTarget.value, pick: "" })}>
          {queries.GROUPS.map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
          <optgroup label="Any tag">
            {(isListed ? others : [group, ...others]).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </optgroup>
        </select>
      </label>
      <label class="inline">
        Protocol{" "}
        <select value={protocol} onChange={(event) => setParams({ protocol: event.currentTarget.value, pick: "" })}>
          <option value="">All</option>
          {protocols.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <input type="search" placeholder="Find a service" aria-label="Find a service" value={params["find"] ?? ""} onInput={(event) => setParams({ find: event.currentTarget.value, pick: "" }, true)} />
    </>
  );
  return (
    <div class={known ? "with-side" : ""}>
      <Panel
        title="Service map"
        class="tall"
        note={hidden > 0 ? `the ${MOST_NODES} busiest of ${all.nodes.length}` : graph.nodes.length ? `${graph.nodes.length} nodes, ${graph.edges.length} edges` : ""}
        questions={[asked]}
        {...answer}
        empty={graph.nodes.length === 0 && at === 0}
        emptyText={calls.length > 0 ? "No service matches what is looked for above." : "Nobody called anybody in the time shown."}
        tools={tools}
      >
        <TimeSlider range={range} at={at} />
        <MapView graph={graph} lastingS={lasting} picked={known ? picked : ""} onPick={(id) => setParams({ pick: id })} />
      </Panel>
      {known && <Side graph={graph} picked={picked} group={group} lasting={lasting} />}
    </div>
  );
}

/** Moves through the time shown, so that one sees the map grow and fail. */
function TimeSlider({ range, at }: { range: Range; at: number }) {
  const part = at === 0 ? range : partOf(range, at);
  return (
    <label class="time-slider">
      <span class="note">
        {at === 0 ? "all of it, " : ""}
        {clock(part.from)} to {clock(part.to)}
      </span>
      <input type="range" min="0" max={SLICES} step="1" value={at} aria-label="Part of the time shown" onInput={(event) => setParams({ at: event.currentTarget.value === "0" ? "" : event.currentTarget.value }, true)} />
    </label>
  );
}

interface SideProps {
  graph: Graph;
  picked: string;
  group: string;
  lasting: number;
}

/** What is known of the picked node or edge: by protocol, then the way to its requests. */
function Side({ graph, picked, group, lasting }: SideProps) {
  const node = graph.nodes.find((item) => item.id === picked);
  const edge = graph.edges.find((item) => item.id === picked);
  const inward = graph.edges.filter((item) => item.to === picked);
  const outward = graph.edges.filter((item) => item.from === picked);
  return (
    <aside class="panel side" aria-label="Picked">
      <header class="panel-head">
        <h2 class="mono">{edge ? `${edge.from} → ${edge.to}` : node?.label}</h2>
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => setParams({ pick: "" })} aria-label="Close">
          ✕
        </button>
      </header>
      {edge && <EdgeFacts edge={edge} group={group} lasting={lasting} />}
      {node && (
        <>
          <EdgeList title="Called by" edges={inward} end="from" group={group} lasting={lasting} />
          <EdgeList title="Calls" edges={outward} end="to" group={group} lasting={lasting} />
        </>
      )}
    </aside>
  );
}

/** Conditions that pick the rows of an edge. */
function equalsOf(edge: Edge, group: string): Record<string, string> {
  const call = edge.calls[0];
  const ports = new Set(edge.calls.map((item) => item.port));
  // who is known by an address alone in these rows may have a name in others
  const client = call && call.client !== edge.from && isAddress(call.client) ? "ip_0" : `${group}_0`;
  return {
    [client]: call?.client ?? "",
    [`${group}_1`]: call?.server ?? "",
    l7_protocol: edge.protocol,
    ...(ports.size === 1 && call && call.port > 0 ? { server_port: String(call.port) } : {}),
  };
}

function EdgeList({ title, edges, end, group, lasting }: { title: string; edges: Edge[]; end: "from" | "to"; group: string; lasting: number }) {
  if (edges.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="rows">
        {edges.map((edge) => (
          <li key={edge.id}>
            <a href={requestsOf(equalsOf(edge, group))}>
              <span class="what">
                <span class="line mono">{edge[end]}</span>
                <span class="line note">
                  <Protocol name={edge.protocol} /> {rate(edge.requests / lasting)} · {duration(edge.delay)} · slowest {duration(edge.slowest)}
                </span>
              </span>
              <ErrorShare errors={edge.failed} of={edge.requests} />
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

function EdgeFacts({ edge, group, lasting }: { edge: Edge; group: string; lasting: number }) {
  const { range, tick } = useApp();
  const equal = equalsOf(edge, group);
  const filters: Filter[] = Object.entries(equal).map(([column, value]) => ({ column, op: "=", value }));
  const asked = queries.edgeTimeline(range, filters);
  const answer = useTable(asked, tick, `edge ${edge.id}`);
  const table = answer.data;
  const column = (name: string) => (table ? table.rows.map((row) => measured(row[columnIndex(table, name)])) : []);
  const times = table ? table.rows.map((row) => seconds(row[columnIndex(table, "t")]) ?? 0) : [];
  const step = stepOf(range, 60);
  return (
    <>
      <dl class="facts">
        <dt>Protocol</dt>
        <dd>
          <Protocol name={edge.protocol} />
        </dd>
        <dt>Requests</dt>
        <dd>
          {count(edge.requests)} · {rate(edge.requests / lasting)}
        </dd>
        <dt>Failed</dt>
        <dd>
          {count(edge.failed)} · {percent(edge.requests ? edge.failed / edge.requests : 0)}
        </dd>
        <dt>Response</dt>
        <dd>
          mean {duration(edge.delay)}, slowest {duration(edge.slowest)}
        </dd>
      </dl>
      {times.length > 0 && (
        <Chart
          label="Requests and failures of this edge"
          times={times}
          height={120}
          step={step}
          from={range.from}
          to={range.to}
          series={[
            { label: "requests", color: "--accent", bars: true, format: rate, values: column("requests").map((v) => (v ?? 0) / step) },
            { label: "errors", color: "--bad", bars: true, format: rate, values: column("errors").map((v) => (v ?? 0) / step) },
          ]}
        />
      )}
      <p>
        <a class="button" href={requestsOf(equal)}>
          Requests of this edge
        </a>
      </p>
    </>
  );
}
