/** Questions to the server, and its refusals as sentences. Addresses are relative, so a prefix of a proxy does no harm. */

import { parseJson } from "./json";
import { type Table, tableFrom } from "./table";

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly path: string,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 60_000;

async function ask(path: string, init: RequestInit, signal?: AbortSignal): Promise<unknown> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const signals = signal ? AbortSignal.any([signal, limit]) : limit;
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, signal: signals, credentials: "same-origin" });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new ApiError(`The server gave no answer to ${path} within 60 s.`, 0, path);
    throw new ApiError("The server does not answer. Is mflow up still running?", 0, path);
  }
  const text = await answer.text();
  let body: unknown;
  try {
    body = text === "" ? null : parseJson(text);
  } catch {
    body = null;
  }
  if (!answer.ok) throw new ApiError(refusal(body, answer.status, path), answer.status, path);
  return body;
}

/** The sentence inside a refusal, whichever way it is wrapped. */
export function refusal(body: unknown, status: number, path: string): string {
  for (const found of [body, (body as { error?: unknown } | null)?.error]) {
    if (typeof found === "string" && found !== "") return found;
    if (found && typeof found === "object") {
      const parts = found as Record<string, unknown>;
      for (const name of ["message", "DESCRIPTION", "description", "detail"]) {
        const said = parts[name];
        if (typeof said === "string" && said !== "") return said;
      }
    }
  }
  if (status === 404) return `This server has no ${path}; is metaflow-querier installed and up to date?`;
  return `The server refused ${path} with status ${status} and said no more.`;
}

export function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
  return ask(path, { headers: { accept: "application/json" } }, signal);
}

export async function postQuery(db: string, sql: string, signal?: AbortSignal): Promise<Table> {
  const body = await ask(
    QUERY_PATH,
    {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ db, sql }),
    },
    signal,
  );
  return tableFrom(body);
}

export const QUERY_PATH = "v1/query";
