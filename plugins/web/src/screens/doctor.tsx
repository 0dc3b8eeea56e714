/** What the machine has and lacks, each with its remedy: the same as `mflow doctor` there. */

import { getJson } from "../api/client";
import { useAsk } from "../state/live";
import { Panel } from "../ui/panel";
import { useState } from "preact/hooks";

export interface Finding {
  examination: string;
  state: string;
  subject: string;
  said: string;
  remedy: string;
}

const TONES: Record<string, string> = { ok: "good", note: "calm", missing: "warn", problem: "bad" };
const ORDER = ["problem", "missing", "note", "ok"];

/** Reads `/v1/doctor`; what needs something done comes first. */
export function readFindings(body: unknown): Finding[] {
  const found = (body as { findings?: unknown } | null)?.findings;
  const str = (value: unknown) => (typeof value === "string" ? value : "");
  const findings = (Array.isArray(found) ? found : []).map((item: Record<string, unknown>) => ({
    examination: str(item?.["examination"]),
    state: str(item?.["state"]),
    subject: str(item?.["subject"]),
    said: str(item?.["said"]),
    remedy: str(item?.["remedy"]),
  }));
  return findings.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
}

export function Doctor() {
  const [looks, setLooks] = useState(0);
  const [all, setAll] = useState(false);
  const answer = useAsk(async (signal) => readFindings(await getJson("v1/doctor", signal)), "doctor", looks);
  const found = answer.data ?? [];
  const shown = all ? found : found.filter((one) => one.state !== "ok");
  const good = found.length - found.filter((one) => one.state !== "ok").length;
  return (
    <Panel
      title="Doctor"
      note={found.length ? `${good} of ${found.length} in order` : ""}
      {...answer}
      empty={shown.length === 0}
      emptyText="Everything is in order on this machine."
      tools={
        <>
          <label class="inline note">
            <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> also what is in order
          </label>
          <button type="button" class="quiet" onClick={() => setLooks(looks + 1)}>
            Look again
          </button>
        </>
      }
    >
      <ul class="rows plain">
        {shown.map((one, at) => (
          <li key={`${at} ${one.subject}`}>
            <span class="what">
              <span>
                <span class="note">{one.examination}</span> <b>{one.subject}</b>: {one.said}
              </span>
              {one.remedy && one.state !== "ok" && <span class="line-of note">→ {one.remedy}</span>}
            </span>
            <span class={`pill ${TONES[one.state] ?? "calm"}`}>{one.state}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
