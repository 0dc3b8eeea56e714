/** Every field of one row, the telling ones first; then why its protocol was recognised. */

import { useEffect, useState } from "preact/hooks";
import { records, text, type Value } from "../api/table";
import type { Asked } from "../state/live";
import type { Table } from "../api/table";
import { type Question, explain } from "../data/queries";
import { duration, moment, seconds } from "../format";
import { useTable } from "../state/live";
import { setParams } from "../state/location";
import { Copy } from "./copy";

interface Props {
  title: string;
  first: readonly string[];
  question: Question;
  answer: Asked<Table>;
  flow: string;
  children?: preact.ComponentChildren;
}

const DELAYS = /^(response_duration|duration|rtt.*|tls_rtt|.*(srt|art|rrt|cit)_(sum|max))$/;
const TIMES = /^(start_time|end_time)$/;

function shown(name: string, value: Value): string {
  if (value === null) return "–";
  if (DELAYS.test(name) && value !== "") return `${duration(Number(value))}`;
  if (TIMES.test(name)) {
    const at = seconds(value);
    return at === null ? text(value) : `${moment(at)}.${String(Math.round((at % 1) * 1e6)).padStart(6, "0")}`;
  }
  return text(value);
}

const isNothing = (value: Value): boolean => value === null || value === "" || value === 0 || value === false || (Array.isArray(value) && value.length === 0) || /^(0|::|0\.0\.0\.0)$/.test(text(value));

export function Detail({ title, first, question, answer, flow, children }: Props) {
  const [all, setAll] = useState(false);
  useEffect(() => {
    const leave = (event: KeyboardEvent) => {
      // in a box Escape is the box's, and an open menu is closed first
      const isElsewhere = (event.target as Element).closest("input, textarea, select") || document.querySelector("[role=menu]");
      if (event.key === "Escape" && !isElsewhere) setParams({ row: "" });
    };
    document.addEventListener("keydown", leave);
    return () => document.removeEventListener("keydown", leave);
  }, []);
  const row = answer.data ? records(answer.data)[0] : undefined;
  const names = row ? [...first.filter((name) => name in row), ...Object.keys(row).filter((name) => !first.includes(name))] : [];
  const kept = names.filter((name) => all || !isNothing(row?.[name] ?? null));
  return (
    <aside class="panel side" aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        <span class="grow" />
        <Copy questions={[question]} />
        <button type="button" class="quiet" onClick={() => setParams({ row: "" })} aria-label="Close">
          ✕
        </button>
      </header>
      {answer.error && <p class="problem">{answer.error}</p>}
      {answer.loading && <p class="waiting">Asking…</p>}
      {answer.data && !row && <p class="empty">This row is not kept any more.</p>}
      {row && (
        <>
          {children}
          <dl class="facts">
            {kept.map((name) => (
              <>
                <dt key={name}>{name}</dt>
                <dd class="mono">{shown(name, row[name] ?? null)}</dd>
              </>
            ))}
          </dl>
          <label class="inline note">
            <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> fields without a value too ({names.length - names.filter((name) => !isNothing(row[name] ?? null)).length})
          </label>
          {/^\d+$/.test(flow) && flow !== "0" && <Explain flow={flow} />}
        </>
      )}
    </aside>
  );
}

/** Which parsers looked at the flow, and what each said. */
function Explain({ flow }: { flow: string }) {
  const asked = explain(flow);
  const answer = useTable(asked, 0);
  const steps = answer.data ? records(answer.data) : [];
  return (
    <section aria-label="Why this protocol">
      <h3>
        Why this protocol? <span class="note">flow {flow}</span>
      </h3>
      {answer.error && <p class="note">{answer.error}</p>}
      {answer.data && steps.length === 0 && <p class="note">No steps are kept of this flow: so many flows began in its second that only some were explained, or its rows are older than what is kept. On a capture: mflow explain flow {flow} FILE</p>}
      <ol class="steps">
        {steps.map((step, at) => (
          <li key={at}>
            <span class={`pill ${text(step["op"]) === "confirm" ? "good" : "calm"}`}>{text(step["op"])}</span> <b>{text(step["parser"])}</b>{" "}
            {[text(step["verdict"]), text(step["reason"])].filter(Boolean).join(": ")}
            {text(step["offset"]) !== "" && <span class="note"> at byte {text(step["offset"])}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}
