/** Requests as they are answered: the newest on top, a bounded number of them. */

import { counted } from "../data/counted";
import { useApp } from "../state/app";
import { useEffect, useRef, useState } from "preact/hooks";
import { follow, type Row } from "../api/tail";
import { measured, number, text } from "../api/table";
import { serverName, whatOf } from "../data/names";
import { condition, type Filter } from "../data/sql";
import { clock, count, duration, seconds } from "../format";
import { setParams } from "../state/location";
import { Outcome, Protocol } from "../ui/bits";
import { Panel } from "../ui/panel";
import { type Field, VirtualTable } from "../ui/table";

const KEPT = 1000;
const COLUMNS = [
  "start_time", "l7_protocol", "ip_0", "ip_1", "server_port", "request_type", "request_resource", "endpoint", "request_domain", "response_status",
  "response_code", "response_duration", "response_exception", "flow_id",
]; // prettier-ignore

interface Line {
  key: string;
  row: Row;
}

const FIELDS: Field<Line>[] = [
  { key: "time", title: "Time", width: "116px", cell: ({ row }) => clock(seconds(row["start_time"]) ?? 0, true) },
  { key: "protocol", title: "Protocol", width: "84px", cell: ({ row }) => <Protocol name={text(row["l7_protocol"])} /> },
  { key: "client", title: "Client", width: "minmax(110px, 1fr)", cell: ({ row }) => text(row["ip_0"]) },
  { key: "server", title: "Server", width: "minmax(150px, 1fr)", cell: ({ row }) => serverName(text(row["ip_1"]), number(row["server_port"])) },
  { key: "what", title: "Request", width: "minmax(180px, 3fr)", cell: ({ row }) => <span class="mono">{whatOf(row)}</span>, whole: ({ row }) => whatOf(row) },
  { key: "status", title: "Status", width: "108px", cell: ({ row }) => <Outcome status={text(row["response_status"])} />, whole: ({ row }) => text(row["response_exception"]) },
  { key: "code", title: "Code", width: "56px", right: true, cell: ({ row }) => text(row["response_code"]) },
  { key: "took", title: "Took", width: "84px", right: true, cell: ({ row }) => duration(measured(row["response_duration"]) || null) },
];

/** The address that is followed. */
export function tailPath(filters: Filter[], more: string[] = []): string {
  const conditions = [...filters.map(condition), ...more].join(" and ");
  const query = new URLSearchParams({ table: "l7_flow_log", columns: COLUMNS.join(","), rows_per_s: "100", ...(conditions ? { where: conditions } : {}) });
  return `v1/tail?${query}`;
}

export function Tail({ filters }: { filters: Filter[] }) {
  const [lines, setLines] = useState<Line[]>([]);
  const [skipped, setSkipped] = useState(0);
  const [said, setSaid] = useState("");
  const [refused, setRefused] = useState("");
  const [paused, setPaused] = useState(false);
  const isPaused = useRef(false);
  const made = useRef(0);
  isPaused.current = paused;
  const { range } = useApp();
  const path = tailPath(filters, counted(range, filters));
  useEffect(() => {
    const control = new AbortController();
    setLines([]);
    setSkipped(0);
    setRefused("");
    const tailing = {
      rows: (rows: Row[], left: number) => {
        setSkipped((old) => old + left + (isPaused.current ? rows.length : 0));
        if (isPaused.current) return;
        const added = rows.map((row) => ({ key: String((made.current += 1)), row })).reverse();
        setLines((old) => [...added, ...old].slice(0, KEPT));
      },
      state: (state: string, sentence: string) => (state === "refused" ? setRefused(sentence) : setSaid(sentence)),
    };
    void follow(path, tailing, control.signal);
    return () => control.abort();
  }, [path]);
  const note = [`${count(lines.length)} rows`, skipped > 0 ? `${count(skipped)} more were not shown` : "", said].filter(Boolean).join(" · ");
  return (
    <Panel
      title="Requests as they are answered"
      class="tall"
      note={note}
      error={refused}
      empty={lines.length === 0}
      emptyText={said || "Following. Nothing has been answered since."}
      tools={
        <>
          <button type="button" class="quiet" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? "Go on" : "Pause"}
          </button>
          <button type="button" class="quiet" onClick={() => setParams({ tail: "" })}>
            Stop following
          </button>
        </>
      }
    >
      <VirtualTable label="Live requests" fields={FIELDS} rows={lines} rowKey={(line) => line.key} rowClass={({ row }) => (/error|timeout/.test(text(row["response_status"])) ? "bad" : "")} />
    </Panel>
  );
}
