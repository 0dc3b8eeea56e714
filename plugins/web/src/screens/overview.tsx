/** From capture to store, then what the services do: rate, errors, duration; what fails, what is slow. */

import { columnIndex, EMPTY, measured, number, records, text, type Table } from "../api/table";
import { useMemo } from "preact/hooks";
import { serverName, whatOf } from "../data/names";
import * as queries from "../data/queries";
import { readServices, type Service } from "../data/services";
import { clock, count, duration, percent, rate, seconds } from "../format";
import { useApp } from "../state/app";
import { useTable } from "../state/live";
import { go, hrefWithTime, setParams, usePlace } from "../state/location";
import { graphOf, beginsHere } from "../map/graph";
import { readCalls } from "../data/calls";
import { stepOf, watchedOf } from "../state/range";
import { Chart, type Series } from "../ui/chart";
import { Bar, ErrorShare, Figure, Outcome, Protocol } from "../ui/bits";
import { Panel } from "../ui/panel";
import { type Field, ordered, VirtualTable } from "../ui/table";
import { Stages } from "../ui/stages";
import { requestsOf } from "../data/links";
import { Changes } from "../ui/changes";

export function Overview() {
  const { range, tick } = useApp();
  const timelineAsked = queries.timeline(range);
  const servicesAsked = queries.services(range);
  const failuresAsked = queries.failures(range);
  const slowestAsked = queries.slowest(range);
  const timeline = useTable(timelineAsked, tick, "timeline");
  const services = useTable(servicesAsked, tick, "services");
  const failures = useTable(failuresAsked, tick, "failures");
  const slowest = useTable(slowestAsked, tick, "slowest");
  const known = services.data !== null;
  const list = services.data ? readServices(services.data) : [];
  const total = list.reduce((sum, service) => sum + service.requests, 0);
  const wrong = list.reduce((sum, service) => sum + service.errors + service.timeouts, 0);
  const lasting = watchedOf(range);
  // who calls whom tells whose failures are but those of others
  const calls = useTable(wrong > 0 ? queries.edges(range, "auto_service", []) : null, tick, "edges");
  const begins = useMemo(() => new Set(calls.data ? graphOf(readCalls(calls.data)).nodes.filter(beginsHere).map((node) => node.id) : []), [calls.data]);
  const fields = serviceFields(list, lasting, begins);
  const order = usePlace().params["order"] ?? "";
  const weighted = list.reduce((sum, service) => sum + (service.delay ?? 0) * service.requests, 0);

  return (
    <>
      <Stages />
      <div class="figures">
        <Figure label="Requests" value={known ? count(total) : "…"} note={known ? rate(total / lasting) : ""} />
        <Figure label="Failed" value={known ? percent(total ? wrong / total : 0) : "…"} note={known ? `${count(wrong)} of ${count(total)}` : ""} tone={wrong ? "bad" : ""} />
        <Figure label="Mean response" value={known ? duration(total ? weighted / total : null) : "…"} note="from request to answer" />
        <Figure label="Services" value={known ? String(list.length) : "…"} note={known ? `${new Set(list.map((s) => s.protocol)).size} protocols` : ""} />
      </div>
      <div class="two">
        <TimelinePanel title="Requests and errors" asked={timelineAsked} answer={timeline} kind="rate" />
        <TimelinePanel title="Response time" asked={timelineAsked} answer={timeline} kind="delay" />
      </div>
      <Panel title="Services" note="p50 and p95 of the response time" questions={[servicesAsked]} {...services} empty={list.length === 0}>
        <VirtualTable
          label="Services"
          fields={fields}
          rows={ordered(list, fields, order)}
          order={order || "-requests"}
          onOrder={(next) => setParams({ order: next }, true)}
          rowKey={(service) => service.key}
          height={380}
          onPick={(service) => go(linkOf(service))}
        />
      </Panel>
      <Changes services={known ? list : null} />
      <div class="two">
        <Panel
          title="What fails"
          questions={[failuresAsked]}
          {...failures}
          empty={failures.data?.rows.length === 0}
          emptyText="Nothing failed in the time shown."
        >
          <ul class="rows">
            {records(failures.data ?? EMPTY).map((row) => {
              const server = serverName(text(row["auto_service_1"]), number(row["server_port"]));
              return (
                <li key={JSON.stringify(row)}>
                  <a
                    href={requestsOf({
                      l7_protocol: text(row["l7_protocol"]),
                      auto_service_1: text(row["auto_service_1"]),
                      server_port: text(row["server_port"]),
                      request_type: text(row["request_type"]),
                      response_status: text(row["response_status"]),
                    })}
                  >
                    <b class="bad-text times">{count(number(row["times"]))}×</b>
                    <span class="what">
                      <span class="line">
                        <Protocol name={text(row["l7_protocol"])} /> <span class="mono">{whatOf(row)}</span>
                      </span>
                      <span class="line note">
                        {server} · {[text(row["response_code"]), text(row["said"])].filter(Boolean).join(" ")}
                      </span>
                    </span>
                    <Outcome status={text(row["response_status"])} />
                  </a>
                </li>
              );
            })}
          </ul>
        </Panel>
        <Panel title="Slowest" questions={[slowestAsked]} {...slowest} empty={slowest.data?.rows.length === 0}>
          <ul class="rows">
            {records(slowest.data ?? EMPTY).map((row) => (
              <li key={JSON.stringify(row)}>
                <a href={hrefWithTime("requests", { sort: "slowest", row: queries.identityOf("l7_flow_log", row) })}>
                  <b class="times">{duration(measured(row["response_duration"]))}</b>
                  <span class="what">
                    <span class="line">
                      <Protocol name={text(row["l7_protocol"])} />{" "}
                      <span class="mono">{whatOf(row)}</span>
                    </span>
                    <span class="line note">
                      {serverName(text(row["auto_service_1"]), number(row["server_port"]))} · {clock(seconds(row["start_time"]) ?? 0, true)}
                    </span>
                  </span>
                  <Outcome status={text(row["response_status"])} />
                </a>
              </li>
            ))}
          </ul>
        </Panel>
      </div>
    </>
  );
}

function serviceFields(list: Service[], lasting: number, begins: Set<string>): Field<Service>[] {
  const most = Math.max(1, ...list.map((service) => service.requests));
  const longest = Math.max(1, ...list.map((service) => service.p95 ?? 0));
  return [
    { key: "name", title: "Service", width: "minmax(150px, 2.4fr)", by: (s) => s.name, whole: (s) => s.name, cell: (s) => <><a href={linkOf(s)}>{s.name}</a>{(begins.has(s.name) || begins.has(s.address)) && s.errors + s.timeouts > 0 && <span class="pill begins" title="Failures begin here: nothing that it calls explains them">begins here</span>}</> },
    { key: "protocol", title: "Protocol", width: "minmax(112px, 1fr)", by: (s) => s.protocol, cell: (s) => <Protocol name={s.protocol} /> },
    { key: "requests", title: "Requests", width: "minmax(90px, 1.2fr)", right: true, by: (s) => s.requests, cell: (s) => <Bar share={s.requests / most}>{count(s.requests)}</Bar> },
    { key: "rate", title: "Rate", width: "84px", right: true, by: (s) => s.requests, cell: (s) => rate(s.requests / lasting) },
    {
      key: "errors",
      title: "Errors",
      hint: "Errors and requests that were never answered, by requests",
      width: "72px",
      right: true,
      by: (s) => (s.requests ? (s.errors + s.timeouts) / s.requests : null),
      cell: (s) => <ErrorShare errors={s.errors + s.timeouts} of={s.requests} />,
    },
    { key: "p50", title: "p50", width: "84px", right: true, by: (s) => s.p50, cell: (s) => duration(s.p50) },
    { key: "p95", title: "p95", width: "minmax(90px, 1.2fr)", right: true, by: (s) => s.p95, cell: (s) => <Bar share={(s.p95 ?? 0) / longest} tone="delay">{duration(s.p95)}</Bar> },
    { key: "slowest", title: "Slowest", width: "84px", right: true, by: (s) => s.slowest, cell: (s) => duration(s.slowest) },
    { key: "clients", title: "Clients", width: "68px", right: true, by: (s) => s.clients, cell: (s) => count(s.clients) },
  ];
}

const linkOf = (service: Service): string =>
  requestsOf({ auto_service_1: service.address, server_port: service.port, l7_protocol: service.protocol });

interface TimelineProps {
  title: string;
  asked: queries.Question;
  answer: { data: Table | null; error: string; loading: boolean };
  kind: "rate" | "delay";
}

function TimelinePanel({ title, asked, answer, kind }: TimelineProps) {
  const { range } = useApp();
  const step = stepOf(range);
  const table = answer.data;
  const column = (name: string) => (table ? table.rows.map((row) => measured(row[columnIndex(table, name)])) : []);
  const times = table ? table.rows.map((row) => seconds(row[columnIndex(table, "t")]) ?? 0) : [];
  const timeouts = column("timeouts");
  const series: Series[] =
    kind === "rate"
      ? [
          { label: "requests", color: "--accent", values: column("requests").map((v) => (v ?? 0) / step), bars: true, format: rate },
          { label: "failed", color: "--bad", values: column("errors").map((v, i) => ((v ?? 0) + (timeouts[i] ?? 0)) / step), bars: true, format: rate },
        ]
      : [
          { label: "mean", color: "--accent", values: column("delay"), fill: true, format: duration },
          { label: "slowest", color: "--warn", values: column("slowest"), format: duration },
        ];
  return (
    <Panel title={title} questions={[asked]} {...answer} empty={times.length === 0}>
      <Chart times={times} series={series} from={range.from} to={range.to} step={step} label={title} />
    </Panel>
  );
}
