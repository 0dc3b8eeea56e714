/** One trace: who called whom, how long each took, and why it is known; without one, a list of traces. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { flowsOf, requestsOf } from "../data/links";
import { type Edge, type Line, type Matched, type Span, type Summary, type Trace, failed, fetchTrace, fetchTraces, idOf, linesOf, who } from "../data/trace";
import { clock, count, day, duration, percent } from "../format";
import { useApp } from "../state/app";
import { useAsk } from "../state/live";
import { go, hrefWithTime, setParams, usePlace } from "../state/location";
import { Bar, Figure, Outcome, Protocol, protocolColor } from "../ui/bits";
import { Panel } from "../ui/panel";
import "../style/trace.css";

const MOST_TRACES = 50;
const MOST_LINES = 400;
const SURE = 0.9;
const FAILED = "response_status in ('server_error', 'client_error', 'timeout')";
const SLOW = "response_duration > 100000";

export function TraceScreen() {
  const { params } = usePlace();
  const id = params["id"] ?? "";
  return id === "" ? <Traces where={params["where"] ?? ""} /> : <OneTrace id={id} />;
}

function Traces({ where }: { where: string }) {
  const { range, tick, ready } = useApp();
  const [text, setText] = useState(where);
  useEffect(() => setText(where), [where]);
  const answer = useAsk<Summary[]>((signal) => fetchTraces(where, range.from, range.to, MOST_TRACES, signal), ready ? `traces ${where}` : "", tick, `${where} ${range.live || `${range.from} ${range.to}`}`);
  const found = answer.data ?? [];
  return (
    <Panel title="Traces" note={found.length ? `the latest ${count(found.length)}` : ""} {...answer} empty={found.length === 0} emptyText={where ? "No trace has such a request in the time shown." : undefined} tools={
      <form class="inline trace-find" onSubmit={(event) => { event.preventDefault(); setParams({ where: text }); }}>
        <input class="mono" size={40} value={text} aria-label="Only traces with a request for which this is true" placeholder="response_status = 'server_error'" onInput={(event) => setText(event.currentTarget.value)} />
        <button type="submit">Find</button>
        <button type="button" aria-pressed={where === FAILED} onClick={() => setParams({ where: where === FAILED ? "" : FAILED })}>Failed</button>
        <button type="button" aria-pressed={where === SLOW} onClick={() => setParams({ where: where === SLOW ? "" : SLOW })}>Over 100 ms</button>
      </form>
    }>
      <table class="list" aria-label="Traces">
        <thead><tr><th>Start</th><th>Service</th><th>Request</th><th>Protocol</th><th class="right">Took</th><th class="right">Messages</th><th class="right" title="Each message is seen at several places">Rows</th><th class="right">Outcome</th></tr></thead>
        <tbody>
          {found.map((each) => (
            <tr key={idOf(each) + each.row_id} class="can-pick" onClick={(event) => { if (!(event.target as Element).closest("a")) go(hrefWithTime("trace", { id: idOf(each) })); }}>
              <td title={day(each.start_us / 1e6)}>{clock(each.start_us / 1e6, true)}</td>
              <td>{each.root_service}</td>
              <td class="mono"><a href={hrefWithTime("trace", { id: idOf(each) })}>{each.root || "request"}</a></td>
              <td><Protocol name={each.protocol} /></td>
              <td class="right">{duration(each.duration_us)}</td>
              <td class="right">{count(each.hop_count)}</td>
              <td class="right">{count(each.span_count)}</td>
              <td class="right">{each.error_count ? <span class="pill bad" title={`${each.error_count} of its ${each.span_count} rows tell of an error`}>failed</span> : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function OneTrace({ id }: { id: string }) {
  const { params } = usePlace();
  const answer = useAsk<Trace>((signal) => fetchTrace(id, signal), `trace ${id}`, 0);
  const trace = answer.data;
  const lines = useMemo(() => (trace ? linesOf(trace) : []), [trace]);
  const picked = trace?.spans.find((span) => String(span.id) === params["span"]);
  const flame = params["view"] === "flame";
  return (
    <div class={picked ? "with-side trace" : "trace"}>
      <div class="middle">
        <Panel title={trace ? `Trace ${idOf(trace)}` : "Trace"} {...answer} empty={false} tools={<>
          <button type="button" class="quiet" onClick={() => setParams({ view: flame ? "" : "flame" })}>{flame ? "Waterfall" : "Flame"}</button>
          <a class="button" href={hrefWithTime("trace")}>Other traces</a>
        </>}>
          {trace && <>
            <div class="figures">
              <Figure label="Took" value={duration(trace.duration_us)} note={`from ${clock(trace.start_us / 1e6, true)}`} />
              <Figure label="Messages and spans" value={count(trace.hop_count)} note={`seen in ${count(trace.span_count)} rows`} />
              <Figure label="Errors" value={count(trace.error_count)} tone={trace.error_count ? "bad" : ""} />
              <Figure label="Weakest link" value={weakest(trace)} note={trace.root_count > 1 ? `${trace.root_count} parts that nothing is known to join` : "one tree"} />
            </div>
            {trace.notes.map((note) => <p class="note" key={note}>Note: {note}.</p>)}
            {flame ? <Flame trace={trace} lines={lines} picked={picked} /> : <Waterfall trace={trace} lines={lines} picked={picked} />}
          </>}
        </Panel>
        {trace && <Panel title="Who spent the time"><Services trace={trace} /></Panel>}
      </div>
      {trace && picked && <Evidence trace={trace} span={picked} />}
    </div>
  );
}

function weakest(trace: Trace): string {
  const found = trace.spans.flatMap((span) => (span.edge ? [span.edge.confidence] : []));
  return found.length ? percent(Math.min(...found)) : "–";
}

interface ViewProps {
  trace: Trace;
  lines: Line[];
  picked: Span | undefined;
}

const pick = (span: Span, picked: Span | undefined) => setParams({ span: span.id === picked?.id ? "" : String(span.id) }, picked !== undefined);

function Waterfall({ trace, lines, picked }: ViewProps) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const toggle = (hop: number) => setOpen((old) => { const next = new Set(old); if (!next.delete(hop)) next.add(hop); return next; });
  return (
    <div class="waterfall" role="tree" aria-label="Waterfall">
      {lines.slice(0, MOST_LINES).map((line) => (
        <div key={line.head.id}>
          <Row trace={trace} span={line.head} level={line.level} picked={picked} title={<>
            {line.places.length > 1 ? (
              <button type="button" class="quiet fold" aria-expanded={open.has(line.head.hop)} aria-label={`${line.places.length} places where it was seen`} onClick={(event) => { event.stopPropagation(); toggle(line.head.hop); }}>
                {open.has(line.head.hop) ? "▾" : "▸"}
              </button>
            ) : <span class="fold" />}
            <b>{who(line.head)}</b> <span class="mono">{line.head.name}</span> <Doubt span={line.head} />
          </>} />
          {open.has(line.head.hop) && line.places.map((span) => (
            <Row key={span.id} trace={trace} span={span} level={line.level + 1} picked={picked} faint title={<><span class="fold" />seen at {span.point}, agent {span.agent_id}</>} />
          ))}
        </div>
      ))}
      {lines.length > MOST_LINES && <p class="note">{count(lines.length - MOST_LINES)} more; mflow trace {idOf(trace)} --json has all.</p>}
    </div>
  );
}

function Doubt({ span }: { span: Span }) {
  if (span.edge && span.edge.confidence < SURE) return <span class="pill warn">{percent(span.edge.confidence)} sure</span>;
  return !span.edge && span.missing?.candidate ? <span class="pill warn">cause not known</span> : null;
}

interface RowProps {
  trace: Trace;
  span: Span;
  level: number;
  picked: Span | undefined;
  title: preact.ComponentChildren;
  faint?: boolean;
}

function Row({ trace, span, level, picked, title, faint = false }: RowProps) {
  const total = Math.max(1, trace.duration_us);
  const left = ((span.start_us - trace.start_us) / total) * 100;
  return (
    <div class={`hop ${faint ? "faint" : ""} ${picked?.id === span.id ? "picked" : ""}`} role="treeitem" tabIndex={0} aria-level={level + 1} aria-selected={picked?.id === span.id}
      onClick={() => pick(span, picked)} onKeyDown={(event) => { if (event.key === "Enter") pick(span, picked); }}>
      <span class="hop-name" style={{ paddingLeft: `${Math.min(level, 24) * 14}px` }}>{title}</span>
      <span class="hop-bar">
        <i class={`${failed(span) ? "failed" : ""} ${span.is_critical ? "critical" : ""}`} style={{ left: `${left}%`, width: `${Math.max(0.3, (span.duration_us / total) * 100)}%`, background: `var(${protocolColor(span.protocol)})` }} />
      </span>
      <span class="right">{duration(span.duration_us)}</span>
    </div>
  );
}

function Flame({ trace, lines, picked }: ViewProps) {
  const total = Math.max(1, trace.duration_us);
  const depth = lines.reduce((most, line) => Math.max(most, line.level), 0) + 1;
  return (
    <div class="flame" style={{ height: `${depth * 24}px` }} role="group" aria-label="Flame graph">
      {lines.slice(0, 4 * MOST_LINES).map(({ head, level }) => (
        <button key={head.id} type="button" class={`${failed(head) ? "failed" : ""} ${head.is_critical ? "critical" : ""} ${picked?.id === head.id ? "picked" : ""}`} title={`${who(head)} ${head.name} ${duration(head.duration_us)}`} onClick={() => pick(head, picked)}
          style={{ top: `${level * 24}px`, left: `${((head.start_us - trace.start_us) / total) * 100}%`, width: `${Math.max(0.2, (head.duration_us / total) * 100)}%`, background: `var(${protocolColor(head.protocol)})` }}>
          {who(head)} {head.name}
        </button>
      ))}
    </div>
  );
}

function Services({ trace }: { trace: Trace }) {
  const most = trace.services[0]?.self_us ?? 1;
  return (
    <>
      <table class="list" aria-label="Services">
        <thead><tr><th>Service</th><th class="right">Itself</th><th class="right">Share</th><th class="right">Rows</th><th class="right">Errors</th></tr></thead>
        <tbody>
          {trace.services.map((each) => (
            <tr key={each.name}>
              <td><Bar share={each.self_us / Math.max(1, most)}>{each.name}</Bar></td>
              <td class="right">{duration(each.self_us)}</td>
              <td class="right">{percent(each.share)}</td>
              <td class="right">{count(each.spans)}</td>
              <td class={`right ${each.errors ? "bad-text" : "muted"}`}>{each.errors || "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {trace.clocks.filter((each) => each.offset_us !== 0 || !each.is_steady).map((each) => (
        <p class="note" key={each.name}>
          The clock of {each.name} was set right by {each.offset_us} µs (give or take {each.uncertainty_us} µs) against {each.against}, from {count(each.pairs)} exchanges that both saw{each.is_steady ? "" : "; it jumped"}.
        </p>
      ))}
    </>
  );
}

function Evidence({ trace, span }: { trace: Trace; span: Span }) {
  const above = trace.spans.find((each) => each.id === span.parent_id);
  return (
    <aside class="panel side" aria-label="Evidence">
      <header class="panel-head">
        <h2>{span.name}</h2>
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => setParams({ span: "" })} aria-label="Close">✕</button>
      </header>
      <p><Outcome status={span.status} /> <Protocol name={span.protocol} /> {duration(span.duration_us)}, itself {duration(span.self_us)}{span.is_critical ? ", on the critical path" : ""}</p>
      <p>
        <a class="button" href={requestsOf({ flow_id: span.flow_id })}>Its requests</a> <a class="button" href={flowsOf({ flow_id: span.flow_id })}>Its flow</a>
      </p>
      <h3>Why it stands here</h3>
      {span.edge && above ? <Why edge={span.edge} above={above} /> : <p class="note">Nothing is known to have caused it: {span.missing?.reason}.</p>}
      {span.missing?.candidate && (
        <>
          <p>The nearest was <b>{span.missing.candidate.server}</b> <span class="mono">{span.missing.candidate.name}</span> at {clock(span.missing.candidate.start_us / 1e6, true)}, refused by the rule <code>{span.missing.kind}</code>. <a href={hrefWithTime("trace", { id: span.missing.candidate.row_id })}>Its trace</a></p>
          <Values matched={span.missing.matched} />
        </>
      )}
      <h3>What was seen</h3>
      <dl class="facts">
        <Facts facts={{ "seen at": `${span.point}, agent ${span.agent_id} (${span.signal})`, client: `${span.client.name} ${span.client.ip}:${span.client.port}`, server: `${span.server.name} ${span.server.ip}:${span.server.port}`, code: span.code === null ? "" : String(span.code), exception: span.exception, "clock set right by": span.seen_start_us === span.start_us ? "" : `${span.start_us - span.seen_start_us} µs`, ...span.ids, ...span.attributes }} />
      </dl>
    </aside>
  );
}

function Why({ edge, above }: { edge: Edge; above: Span }) {
  const said = { same: "The same message as at", cause: "Caused by", sibling: "Caused, like another call, by" }[edge.relation];
  return (
    <>
      <p>{said} <b>{edge.relation === "same" ? `${above.point}, agent ${above.agent_id}` : `${who(above)} ${above.name}`}</b>: {edge.reason}.</p>
      <p><span class={`pill ${edge.confidence >= SURE ? "good" : "warn"}`}>{percent(edge.confidence)} sure</span> by the rule <code>{edge.kind}</code></p>
      <Values matched={edge.matched} />
    </>
  );
}

function Values({ matched }: { matched: Matched[] }) {
  return <dl class="facts"><Facts facts={Object.fromEntries(matched.map((each) => [each.first === each.second ? each.first : `${each.first} = ${each.second}`, each.value]))} /></dl>;
}

function Facts({ facts }: { facts: Record<string, string> }) {
  return (
    <>
      {Object.entries(facts).filter(([, value]) => value !== "").map(([name, value]) => (
        <>
          <dt key={name}>{name}</dt>
          <dd class="mono">{value}</dd>
        </>
      ))}
    </>
  );
}
