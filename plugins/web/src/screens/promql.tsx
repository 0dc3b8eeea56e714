/** Any question in PromQL over the time shown, as a chart and a table. */

import { useEffect, useState } from "preact/hooks";
import { getJson, postForm } from "../api/client";
import { completePromql, promqlCurl, readMatrix } from "../data/promql";
import { count, duration } from "../format";
import { useApp } from "../state/app";
import { useAsk } from "../state/live";
import { setParams, usePlace } from "../state/location";
import { stepOf } from "../state/range";
import { AskBox, type Example } from "../ui/ask";
import { copyText } from "../ui/copy";
import { LinesChart } from "../ui/lines";
import { Panel } from "../ui/panel";
import { Answer } from "./answer";

const PATH = "prom/api/v1/query_range";
const EXAMPLES: Example[] = [
  ["Requests a second by service", "sum by (auto_service_1, server_port) (flow_metrics__application_map__request__1m) / 60"],
  ["Share that failed", "sum by (l7_protocol_enum) (flow_metrics__application_map__error__1m) / sum by (l7_protocol_enum) (flow_metrics__application_map__request__1m)"],
  ["95 of 100 answers, by server", "histogram_quantile(0.95, sum by (le, server) (rate(traces_service_graph_request_server_seconds_bucket[5m])))"],
  ["Bytes a second", "sum by (auto_service_1) (flow_metrics__network_map__byte__1m) / 60"],
];

async function askNames(signal: AbortSignal): Promise<{ names: string[]; labels: string[] }> {
  const read = async (path: string) => {
    const body = (await getJson(path, signal)) as { data?: unknown };
    return Array.isArray(body?.data) ? body.data.map(String) : [];
  };
  const [names, labels] = await Promise.all([read("prom/api/v1/label/__name__/values"), read("prom/api/v1/labels").catch(() => [])]);
  return { names, labels: [...new Set(["auto_service_0", "auto_service_1", "server_port", "l7_protocol_enum", "le", "client", "server", ...labels])] };
}

export function PromqlExplore() {
  const { range, tick, ready } = useApp();
  const { params } = usePlace();
  const asked = params["q"] ?? "";
  const [draft, setDraft] = useState(asked || (EXAMPLES[0]?.[1] ?? ""));
  const [runs, setRuns] = useState(0);
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (asked) setDraft(asked);
  }, [asked]);
  const names = useAsk(askNames, "promql names", 0);
  const step = Math.max(range.to - range.from > 900 ? 60 : 15, stepOf(range, 240));
  // a metric of a minute stands at the minute's end and is valid for one: what happened last is seen behind the range
  const until = range.live ? range.to : range.to + 120;
  const form = { query: asked, start: String(range.from), end: String(until), step: String(step) };
  const answer = useAsk(
    async (signal) => {
      const begun = performance.now();
      const body = await postForm(PATH, form, signal);
      return { ...readMatrix(body), tookMs: performance.now() - begun };
    },
    asked && ready ? `promql ${asked}` : "",
    params["live"] === "1" ? tick : 0,
    `${asked} ${runs} ${range.live || `${range.from} ${range.to}`}`,
  );
  const run = () => {
    setParams({ q: draft.trim() });
    setRuns(runs + 1);
  };
  const copy = async (text: string, what: string) => {
    setSaid((await copyText(text)) ? `Copied ${what}` : "The browser did not allow copying");
    window.setTimeout(() => setSaid(""), 2000);
  };
  const found = answer.data;
  return (
    <div class="middle">
      <Panel
        title="Ask in PromQL"
        note="Ctrl+Enter asks"
        tools={
          <>
            <span class="copy-said" role="status">
              {said}
            </span>
            {asked && (
              <button type="button" class="quiet" onClick={() => copy(promqlCurl(asked, new URL(PATH, window.location.href).href, range.from, until, step), "curl")}>
                Copy as curl
              </button>
            )}
          </>
        }
      >
        <AskBox label="PromQL" value={draft} suggest={(text, caret) => completePromql(text, caret, names.data?.names ?? [], names.data?.labels ?? [])} onInput={setDraft} onRun={run} examples={EXAMPLES} />
      </Panel>
      {(answer.error || names.error) && (
        <p class="problem" role="alert">
          {answer.error || names.error}
        </p>
      )}
      {asked && answer.loading && !answer.error && <p class="waiting">Asking…</p>}
      {found?.lines && (
        <Panel title="Over time" note={found.table.rows.length > found.lines.lines.length ? `the first ${found.lines.lines.length} of ${found.table.rows.length} series` : ""}>
          <LinesChart lines={found.lines} from={range.from} to={until} step={step} />
        </Panel>
      )}
      {found && (
        <Panel title="Answer" class="tall" note={`${count(found.table.rows.length)} series in ${duration(found.tookMs * 1000)}`} empty={found.table.rows.length === 0} emptyText={/__1m\b/.test(asked) ? "No series answers this question in the time shown. A metric of minutes has its first value when the first minute is over; one of seconds (…__1s) has it at once." : "No series answers this question in the time shown."}>
          {found.table.warnings.map((warning) => (
            <p class="note" key={warning}>
              {warning}
            </p>
          ))}
          <Answer table={found.table} />
        </Panel>
      )}
    </div>
  );
}
