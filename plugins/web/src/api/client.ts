/** Questions to the server, and its refusals as sentences. Addresses are relative, so a prefix of a proxy does no harm. */

import { parseJson } from "./json";
import { Lane } from "./lane";
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

async function reach(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const signals = signal ? AbortSignal.any([signal, limit]) : limit;
  try {
    return await fetch(path, { ...init, signal: signals, credentials: "same-origin" });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new ApiError(`The server gave no answer to ${path} within 60 s.`, 0, path);
    throw new ApiError("The server does not answer. Is mflow up still running?", 0, path);
  }
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  try {
    return text === "" ? null : parseJson(text);
  } catch {
    return null;
  }
}

async function ask(path: string, init: RequestInit, signal?: AbortSignal): Promise<unknown> {
  const answer = await reach(path, init, signal);
  const body = await bodyOf(answer);
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

/** A file, with the headers that tell of it. */
export async function getBlob(path: string): Promise<{ blob: Blob; headers: Headers }> {
  const answer = await reach(path, {});
  if (!answer.ok) throw new ApiError(refusal(await bodyOf(answer), answer.status, path), answer.status, path);
  return { blob: await answer.blob(), headers: answer.headers };
}

/** Asks with a form, as Prometheus' API takes it. */
export function postForm(path: string, fields: Record<string, string>, signal?: AbortSignal): Promise<unknown> {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
  return lane.run(() => ask(path, { method: "POST", headers, body: new URLSearchParams(fields).toString() }, signal), signal);
}

/** Places at the server that one page takes at most; a querier has 16 by default. */
const lane = new Lane(4);
const PATIENCE_MS = 1000;

/** Asks in SQL. A server that is busy is asked once more, a moment later. */
export async function postQuery(db: string, sql: string, signal?: AbortSignal): Promise<Table> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ db, sql }),
  };
  const body = await lane.run(async () => {
    try {
      return await ask(QUERY_PATH, init, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503) throw error;
      await new Promise((done) => setTimeout(done, PATIENCE_MS));
      return await ask(QUERY_PATH, init, signal);
    }
  }, signal);
  return tableFrom(body);
}

export const QUERY_PATH = "v1/query";
