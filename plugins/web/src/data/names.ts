/** How ends of a conversation, and what was asked, are called. */

import { text, type Value } from "../api/table";

const LOOPBACK = /^(127\.|::1$|\[?::1\]?$|localhost$)/;

/** An address, as opposed to a name that somebody gave. */
export function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || (name.includes(":") && /^[0-9a-f:.]+$/i.test(name));
}

export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

/** A server: an address is told by its port as well, a name stands alone. */
export function serverName(name: string, port: number): string {
  if (port === 0 || (name !== "" && !isAddress(name))) return name || "unknown";
  return name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
}

/** What was asked in one line: the verb and what it is about; the verb once, where a statement begins with it. */
export function whatOf(row: Record<string, Value>): string {
  const type = text(row["request_type"]);
  const about = text(row["request_resource"]) || text(row["endpoint"]) || text(row["request_domain"]);
  const repeats = about.toLowerCase() === type.toLowerCase() || about.toLowerCase().startsWith(`${type.toLowerCase()} `);
  return [repeats ? "" : type, about].filter(Boolean).join(" ");
}
