/** Universal service map: who calls whom, how much, how fast, what fails. A pick tells more and leads to the requests. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { getJson } from "../api/client";
import { columnIndex, EMPTY, measured, number, records } from "../api/table";
import { readCalls } from "../data/calls";
import { requestsOf } from "../data/links";
import { readCatalog } from "../data/complete";
import { isAddress } from "../data/names";
import { parseFilters, type Filter, writeFilters } from "../data/sql";
import * as queries from "../data/queries";
import { clock, count, duration, percent, rate, seconds } from "../format";
import { FOLDS, foldBy, foldByKind } from "../map/fold";
import { busiest, type Call, type Edge, type Graph, graphOf, isEncrypted, isOnLoopback, type Node } from "../map/graph";
import { MapView } from "../map/view";
import { useApp } from "../state/app";
import { useAsk, useTable } from "../state/live";
import { hrefWithTime, setParams, usePlace } from "../state/location";
import { type Range, stepOf, watchedOf } from "../state/range";
import { Chart } from "../ui/chart";
import { ErrorShare, Protocol } from "../ui/bits";
import { FilterBar } from "../ui/filters";
import { Panel } from "../ui/panel";

const MOST_NODES = 500;
const MOST_EDGES = 1500;
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
  const filters = useMemo(() => parseFilters(params["f"] ?? ""), [params["f"]]);
  const tls = params["tls"] ?? "";
  const folding = params["fold"] ?? "";
  const base = queries.edges(part, group, filters);
  const [wide, setWide] = useState("");
  const subject = `edges ${group} ${params["f"] ?? ""} ${at}`;
  // once it is known to be too wide, the whole is not asked for again at every tick
  const whole = useTable(base, wide === subject && folding !== "no" ? 0 : tick, subject);
  const wholeCalls = useMemo(() => (whole.data ? readCalls(whole.data) : []), [whole.data]);
  const keep = (call: Call) =>
    (protocol === "" || call.protocol === protocol) && (tls === "" || isEncrypted(call) === (tls === "1")) && (wanted === "" || `${call.client} ${call.server}:${call.port}`.toLowerCase().includes(wanted));
  const all = useMemo(() => graphOf(wholeCalls.filter(keep)), [wholeCalls, protocol, wanted, tls]);
  const isWide = all.nodes.length > MOST_NODES || (wanted === "" && wholeCalls.length >= queries.MOST_EDGES);
  useEffect(() => {
    if (whole.data) setWide(isWide ? subject : "");
  }, [whole.data, isWide, subject]);
  const folded = isWide && folding !== "no";
  const groups = useTable(isWide ? queries.groupsOf(part, FOLDS.map(([tag]) => tag), filters) : null, 0, `groups ${subject}`);
  const distinct = useMemo(() => Object.fromEntries(Object.entries(records(groups.data ?? EMPTY)[0] ?? {}).map(([name, value]) => [name, number(value)])), [groups.data]);
  const tag = folded && (groups.data || groups.error) ? (FOLDS.some(([name]) => name === folding) ? folding : folding === "kind" ? "" : foldBy(distinct)) : "";
  const byTag = useTable(tag ? queries.edges(part, tag, filters) : null, tick, `${subject} by ${tag}`);
  const asked = tag ? queries.edges(part, tag, filters) : base;
  const answer = tag ? byTag : whole;
  const calls = useMemo(() => (!folded ? wholeCalls : tag ? (byTag.data ? readCalls(byTag.data) : []) : foldByKind(wholeCalls.filter(keep))), [folded, tag, wholeCalls, byTag.data, protocol, wanted, tls]);
  const protocols = [...new Set(calls.map((call) => call.protocol))].sort();
  const drawn = useMemo(() => (folded ? graphOf(tag ? calls.filter(keep) : calls) : all), [folded, tag, all, calls, protocol, wanted, tls]);
  const graph = useMemo(() => busiest(drawn, MOST_NODES, MOST_EDGES), [drawn]);
  const lasting = at === 0 ? watchedOf(part) : Math.max(1, part.to - part.from);
  const picked = params["pick"] ?? "";
  const known = graph.nodes.some((node) => node.id === picked) || graph.edges.some((edge) => edge.id === picked);
  const hidden = drawn.nodes.length - graph.nodes.length;

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
      <label class="inline">
        Encrypted{" "}
        <select value={tls} onChange={(event) => setParams({ tls: event.currentTarget.value, pick: "" })}>
          <option value="">Any</option>
          <option value="1">Yes</option>
          <option value="0">No</option>
        </select>
      </label>
      <input type="search" placeholder="Find a service" aria-label="Find a service" value={params["find"] ?? ""} onInput={(event) => setParams({ find: event.currentTarget.value, pick: "" }, true)} />
    </>
  );
  return (
    <div class={known ? "with-side" : ""}>
      <div class="middle">
      {filters.length > 0 && <FilterBar filters={filters} searched="auto_service_1" />}
      <Panel
        title="Service map"
        class="tall"
        note={hidden > 0 ? `the ${MOST_NODES} busiest of ${count(drawn.nodes.length)}` : graph.nodes.length ? `${graph.nodes.length} nodes, ${graph.edges.length} edges` : ""}
        questions={[asked]}
        {...answer}
        empty={graph.nodes.length === 0 && at === 0}
        emptyText={calls.length > 0 ? "No service matches what is looked for above." : "Nobody called anybody in the time shown."}
        tools={tools}
      >
        <TimeSlider range={range} at={at} />
        {isWide && <Folded tag={tag} on={folded} services={distinct["services"] ?? all.nodes.length} distinct={distinct} chosen={folding} />}
        <MapView graph={graph} lastingS={lasting} picked={known ? picked : ""} onPick={(id) => setParams({ pick: id })} />
      </Panel>
      </div>
      {known && <Side graph={graph} picked={picked} group={folded ? tag : group} lasting={lasting} />}
    </div>
  );
}

interface FoldedProps {
  tag: string;
  on: boolean;
  services: number;
  distinct: Record<string, number>;
  chosen: string;
}

/** Says that there are too many to draw, how they were folded, and how else they could be. */
function Folded({ tag, on, services, distinct, chosen }: FoldedProps) {
  const ways = FOLDS.filter(([name]) => (distinct[name] ?? 0) >= 2);
  const called = FOLDS.find(([name]) => name === tag)?.[1] ?? "kind: names without their numbers, or protocols";
  return (
    <p class="fold-note" role="status">
      {on ? `About ${count(services)} services are too many to draw each: folded by ${called}.` : `About ${count(services)} services: only the busiest are drawn.`} Looking for one above shows it alone.{" "}
      <label>
        Fold by{" "}
        <select value={on ? chosen || tag || "kind" : "no"} onChange={(event) => setParams({ fold: event.currentTarget.value, pick: "" })}>
          {ways.map(([name, title]) => (
            <option key={name} value={name}>
              {title} ({count(distinct[name] ?? 0)})
            </option>
          ))}
          <option value="kind">kind</option>
          <option value="no">nothing: the {MOST_NODES} busiest</option>
        </select>
      </label>
    </p>
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
          {node.requests > 0 && <NodeFacts node={node} lasting={lasting} />}
          {group !== "" && (
            <p class="buttons">
              <a class="button" href={requestsOf({ [`${group}_1`]: nameOf(node.id, inward) })}>
                Requests to it
              </a>{" "}
              {FOLDS.some(([name]) => name === group) && (
                <a class="button" href={hrefWithTime("map", { f: writeFilters([{ column: `${group}_1`, op: "=", value: node.id }]) })}>
                  Its services
                </a>
              )}
            </p>
          )}
          <EdgeList title="Called by" edges={inward} end="from" group={group} lasting={lasting} />
          <EdgeList title="Calls" edges={outward} end="to" group={group} lasting={lasting} />
        </>
      )}
    </aside>
  );
}

/** What the rows call the server that is shown under this name. */
const nameOf = (id: string, inward: Edge[]): string => inward[0]?.calls[0]?.server ?? id;

function NodeFacts({ node, lasting }: { node: Node; lasting: number }) {
  const share = node.requests ? node.failed / node.requests : 0;
  return (
    <dl class="facts">
      <dt>Requests</dt>
      <dd>
        {count(node.requests)} · {rate(node.requests / lasting)}
      </dd>
      <dt>Failed</dt>
      <dd class={share >= 0.05 ? "bad-text" : share > 0 ? "warn-text" : ""}>
        {count(node.failed)} · {percent(share)}
      </dd>
      {node.failed > 0 && !isOnLoopback(node.id) && (
        <>
          <dt>Begun here</dt>
          <dd>{node.begun > 0 ? `${count(node.begun)}: nothing that it calls failed as often` : "none: what it calls fails as often"}</dd>
        </>
      )}
    </dl>
  );
}

/** Conditions that pick the rows of an edge; of kinds only the protocol is known. */
function equalsOf(edge: Edge, group: string): Record<string, string> {
  if (group === "") return { l7_protocol: edge.protocol };
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
        <dt>Encrypted</dt>
        <dd>{edge.tls === 0 ? "no" : edge.tls < 1 ? `${percent(edge.tls)} of the requests` : edge.protocol === "TLS" ? "yes: only the handshake was read" : "yes: read where it was in the clear"}</dd>
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
