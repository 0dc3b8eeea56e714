/** Rows as they are made: server-sent events read by fetch, which can say why it was refused, as an EventSource cannot. */

import { refusal } from "./client";
import { parseJson } from "./json";
import type { Value } from "./table";

export type Row = Record<string, Value>;

export interface Tailing {
  rows: (rows: Row[], skipped: number) => void;
  /** Connected, lost, refused or over; a sentence for all but the first. */
  state: (state: "on" | "lost" | "refused" | "over", said: string) => void;
}

const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 15_000;

/** The events that are whole in a text, and what is left of it. Comments and other fields are passed over. */
export function eventsOf(text: string): { events: { event: string; data: string }[]; rest: string } {
  const parts = text.replace(/\r\n?/g, "\n").split("\n\n");
  const rest = parts.pop() ?? "";
  const events = parts.flatMap((part) => {
    const lines = part.split("\n");
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
    const event = lines.find((line) => line.startsWith("event:"))?.slice(6).trim() ?? "message";
    return data.length > 0 ? [{ event, data: data.join("\n") }] : [];
  });
  return { events, rest };
}

/** Follows until the signal says stop; a lost connection is made again, a refusal is not. */
export async function follow(path: string, tailing: Tailing, signal: AbortSignal): Promise<void> {
  let rest = FIRST_REST_MS;
  while (!signal.aborted) {
    try {
      const answer = await fetch(path, { headers: { accept: "text/event-stream" }, signal, credentials: "same-origin" });
      if (!answer.ok || !answer.body) {
        let body: unknown = null;
        try {
          body = parseJson(await answer.text());
        } catch {
          // the status says enough
        }
        tailing.state("refused", refusal(body, answer.status, path));
        return;
      }
      tailing.state("on", "");
      rest = FIRST_REST_MS;
      if (await readAll(answer.body, tailing)) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error;
    }
    tailing.state("lost", "The server does not answer; following goes on when it does.");
    await new Promise((done) => setTimeout(done, rest));
    rest = Math.min(LONGEST_REST_MS, rest * 2);
  }
}

/** True when the server said that nothing more will come. */
async function readAll(body: ReadableStream<Uint8Array>, tailing: Tailing): Promise<boolean> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return false;
    const { events, rest } = eventsOf(waiting + value);
    waiting = rest;
    for (const { event, data } of events) {
      if (event === "end") {
        tailing.state("over", "What is watched has come to its end; nothing new will come.");
        return true;
      }
      const found = parseJson(data) as { rows?: Row[]; skipped?: number };
      tailing.rows(found.rows ?? [], found.skipped ?? 0);
    }
  }
}
