/** Small parts that many screens use. All text goes in as text. */

import type { ComponentChildren } from "preact";
import { percent } from "../format";

/** Colour of a protocol: the same name has the same colour everywhere and always. */
export function protocolColor(name: string): string {
  const known: Record<string, string> = { HTTP: "--p1", HTTP2: "--p5", gRPC: "--p5", MySQL: "--p2", PostgreSQL: "--p6", Redis: "--p3", DNS: "--p4", TLS: "--p7" };
  const fixed = known[name];
  if (fixed) return fixed;
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return `--p${(hash % 8) + 1}`;
}

export function Protocol({ name }: { name: string }) {
  return (
    <span class="protocol">
      <i class="dot" style={{ background: `var(${protocolColor(name)})` }} />
      {name || "unknown"}
    </span>
  );
}

const MARKS: Record<string, [string, string]> = {
  ok: ["good", "OK"],
  client_error: ["warn", "Client error"],
  server_error: ["bad", "Server error"],
  timeout: ["bad", "Timeout"],
  parse_failed: ["warn", "Parse failed"],
};

export function Outcome({ status }: { status: string }) {
  const [tone, shown] = MARKS[status] ?? ["calm", status || "unknown"];
  return <span class={`pill ${tone}`}>{shown}</span>;
}

/** Errors as a share, red as soon as there are some. */
export function ErrorShare({ errors, of }: { errors: number; of: number }) {
  const share = of > 0 ? errors / of : 0;
  return <span class={share > 0 ? (share >= 0.05 ? "bad-text" : "warn-text") : "muted"}>{of > 0 ? percent(share) : "–"}</span>;
}

/** A number with a bar behind it, as long as its share of the greatest. */
export function Bar({ share, children, tone = "" }: { share: number; children: ComponentChildren; tone?: string }) {
  return (
    <span class="bar">
      <i class={tone} style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
      <span>{children}</span>
    </span>
  );
}

export function Figure({ label, value, note, tone = "" }: { label: string; value: string; note?: string; tone?: string }) {
  return (
    <div class={`figure ${tone}`}>
      <span class="figure-label">{label}</span>
      <b>{value}</b>
      {note && <span class="note">{note}</span>}
    </div>
  );
}
