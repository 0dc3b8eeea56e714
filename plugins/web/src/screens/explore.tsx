/** Any question in SQL, with completion, as a table and, where there is a time, as a chart. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { getJson, postQuery } from "../api/client";
import { type CatalogTable, complete, readCatalog, tableOf } from "../data/complete";
import { linesOf } from "../data/series";
import { count, duration } from "../format";
import { useApp } from "../state/app";
import { useAsk } from "../state/live";
import { setParams, usePlace } from "../state/location";
import { AskBox, type Example } from "../ui/ask";
import { LinesChart } from "../ui/lines";
import { Panel } from "../ui/panel";
import { Answer } from "./answer";
import { PromqlExplore } from "./promql";

const EXAMPLES: Example[] = [
  ["Slowest endpoints", "SELECT endpoint, l7_protocol, Count(row) AS requests, Percentile(rrt, 95) AS p95 FROM l7_flow_log GROUP BY endpoint, l7_protocol ORDER BY p95 DESC LIMIT 20"],
  ["Requests by protocol over time", "SELECT time(time, 1) AS t, l7_protocol, Count(row) AS requests FROM l7_flow_log GROUP BY t, l7_protocol ORDER BY t"],
  ["Errors by code", "SELECT l7_protocol, response_code, response_exception, Count(row) AS times FROM l7_flow_log WHERE response_status in ('server_error', 'client_error') GROUP BY l7_protocol, response_code, response_exception ORDER BY times DESC LIMIT 50"],
  ["How connections ended", "SELECT close_type, Count(row) AS flows, Avg(rtt) AS handshake FROM l4_flow_log GROUP BY close_type ORDER BY flows DESC"],
  ["Who calls whom", "SELECT ip_0, ip_1, server_port, l7_protocol, Sum(request) AS requests FROM application_map.1s GROUP BY ip_0, ip_1, server_port, l7_protocol ORDER BY requests DESC LIMIT 100"],
  ["Tables", "SHOW TABLES"],
];

/** The tables, then each with its columns; a table that cannot be described stays without. */
async function askCatalog(signal: AbortSignal): Promise<CatalogTable[]> {
  const short = await getJson("v1/catalog", signal);
  const full = readCatalog(short).map(async (table) => {
    if (table.columns.length > 0) return table;
    const described = await getJson(`v1/catalog?table=${encodeURIComponent(table.name)}`, signal).catch(() => null);
    return readCatalog({ tables: [described ?? {}] })[0]?.columns.length ? (readCatalog({ tables: [described] })[0] as CatalogTable) : table;
  });
  return Promise.all(full);
}

/** Which language is asked in stands in the address. */
export function Explore() {
  const { params } = usePlace();
  const promql = params["lang"] === "promql";
  return (
    <>
      <div class="tabs" role="tablist" aria-label="Language">
        {[["", "SQL"], ["promql", "PromQL"]].map(([lang = "", title]) => (
          <button key={lang} type="button" role="tab" aria-selected={(lang === "promql") === promql} onClick={() => setParams({ lang, q: "", db: "" })}>
            {title}
          </button>
        ))}
      </div>
      {promql ? <PromqlExplore /> : <SqlExplore />}
    </>
  );
}

function SqlExplore() {
  const { tick } = useApp();
  const { params } = usePlace();
  const asked = params["q"] ?? "";
  const [draft, setDraft] = useState(asked || (EXAMPLES[0]?.[1] ?? ""));
  const [runs, setRuns] = useState(0);
  useEffect(() => {
    if (asked) setDraft(asked);
  }, [asked]);
  const catalog = useAsk(askCatalog, "catalog", 0);
  const tables = catalog.data ?? [];
  const db = tableOf(asked, tables)?.db || params["db"] || "flow_log";
  const again = params["live"] === "1" ? tick : 0;
  const answer = useAsk(async (signal) => {
    const begun = performance.now();
    const table = await postQuery(db, asked, signal);
    return { table, tookMs: performance.now() - begun };
  }, asked ? `${db} ${asked}` : "", runs + again);
  const run = () => {
    const sql = draft.trim().replace(/;$/, "");
    setParams({ q: sql, db: tableOf(sql, tables)?.db ?? params["db"] ?? "" });
    setRuns(runs + 1);
  };
  const table = answer.data?.table ?? null;
  const lines = useMemo(() => (table ? linesOf(table) : null), [table]);

  return (
    <div class="with-facets">
      <Schema tables={tables} loading={catalog.loading} error={catalog.error} onPick={(name) => setDraft((old) => `${old.trimEnd()} ${name}`)} />
      <div class="middle">
        <Panel
          title="Ask in SQL"
          note="Ctrl+Enter asks"
          questions={asked ? [{ db, sql: asked }] : []}
          tools={
            <label class="inline note">
              <input type="checkbox" checked={params["live"] === "1"} onChange={(event) => setParams({ live: event.currentTarget.checked ? "1" : "" }, true)} /> refresh
            </label>
          }
        >
          <AskBox label="SQL" value={draft} suggest={(text, caret) => complete(text, caret, tables)} onInput={setDraft} onRun={run} examples={EXAMPLES} />
        </Panel>
        {answer.error && asked && (
          <p class="problem" role="alert">
            {answer.error}
          </p>
        )}
        {lines && (
          <Panel title="Over time">
            <LinesChart lines={lines} from={lines.times[0] ?? 0} to={Math.max(lines.times.at(-1) ?? 0, (lines.times[0] ?? 0) + 1)} step={1} />
          </Panel>
        )}
        {table && (
          <Panel title="Answer" class="tall" note={`${count(table.rows.length)} rows in ${duration((answer.data?.tookMs ?? 0) * 1000)}`} empty={table.rows.length === 0} emptyText="No row answers this question.">
            {table.warnings.map((warning) => (
              <p class="note" key={warning}>
                {warning}
              </p>
            ))}
            <Answer table={table} />
          </Panel>
        )}
      </div>
    </div>
  );
}

/** Tables and their columns; a click writes the name into the question. */
function Schema({ tables, loading, error, onPick }: { tables: CatalogTable[]; loading: boolean; error: string; onPick: (name: string) => void }) {
  const [wanted, setWanted] = useState("");
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  return (
    <div class="facets" aria-label="Tables and columns">
      <input type="search" placeholder="Find a column" aria-label="Find a column" value={wanted} onInput={(event) => setWanted(event.currentTarget.value.toLowerCase())} />
      {loading && <p class="waiting">Asking…</p>}
      {error && <p class="note">{error}</p>}
      {tables.map((table) => {
        const columns = table.columns.filter((column) => wanted === "" || column.name.toLowerCase().includes(wanted));
        if (wanted !== "" && columns.length === 0) return null;
        const isOpen = wanted !== "" || opened.has(table.name);
        const toggle = (open: boolean) => open !== opened.has(table.name) && wanted === "" && setOpened((old) => new Set(open ? [...old, table.name] : [...old].filter((name) => name !== table.name)));
        return (
          <details class="facet" key={table.name} open={isOpen} onToggle={(event) => toggle(event.currentTarget.open)}>
            <summary title={table.description}>{table.short}</summary>
            {/* thousands of columns that nobody sees would be most of the page */}
            {isOpen && <ul>
              {columns.slice(0, wanted === "" ? 400 : 30).map((column) => (
                <li key={column.name}>
                  <button type="button" title={column.what} onClick={() => onPick(column.name)}>
                    <span class="facet-name mono">{column.name}</span>
                    <span class="facet-count">{column.kind}</span>
                  </button>
                </li>
              ))}
            </ul>}
          </details>
        );
      })}
    </div>
  );
}
