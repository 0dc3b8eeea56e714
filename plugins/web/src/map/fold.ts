/** Thousands of services as some tens of groups: by a tag where the store knows one, else by what their names and protocols say. Pure. */

import { isAddress } from "../data/names";
import type { Call } from "./graph";

/** Tags by which the server can fold, from fine to coarse. */
export const FOLDS: [string, string][] = [
  ["pod_group", "workload"],
  ["pod_ns", "namespace"],
  ["pod_node", "node"],
  ["host", "host"],
  ["pod_cluster", "cluster"],
  ["az", "zone"],
];

export const MOST_GROUPS = 200;

/** The tag that tells most groups apart and not too many; "" when none tells two. `distinct` counts values, the empty one too. */
export function foldBy(distinct: Record<string, number>): string {
  const useful = FOLDS.map(([tag]) => [tag, distinct[tag] ?? 0] as const).filter(([, groups]) => groups >= 3 && groups <= MOST_GROUPS);
  return [...useful].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

/** `web-7c9f8d-x2x4k` and `web-12` are `web-*`, `10.1.2.3` is of `10.1.2.0/24`; a name without a number stays. */
export function stemOf(name: string): string {
  if (isAddress(name)) return name.includes(":") ? `${name.split(":").slice(0, 3).join(":")}::/48` : `${name.split(".").slice(0, 3).join(".")}.0/24`;
  const parts = name.split(/(?<=[-_.])/);
  const kept = parts.filter((part, at) => at === 0 || !/\d/.test(part) || /^[a-z]{3,}\d+[-_.]?$/i.test(part));
  const stem = kept.map((part) => part.replace(/\d+(?=[-_.]?$)/, "")).join("").replace(/[-_.]+$/, "");
  return stem === name || stem === "" ? name : `${stem}-*`;
}

/** The same calls between kinds: names without their numbers, or, where these are still too many or just one, protocols. */
export function foldByKind(calls: Call[]): Call[] {
  const names = new Set(calls.flatMap((call) => [call.client, call.server]));
  const stems = new Map([...names].map((name) => [name, stemOf(name)]));
  const groups = new Set(stems.values()).size;
  if (groups >= 3 && groups <= MOST_GROUPS) return calls.map((call) => ({ ...call, client: stems.get(call.client) ?? "", server: stems.get(call.server) ?? "" }));
  const serves = new Map<string, string>();
  for (const call of [...calls].sort((a, b) => a.requests - b.requests)) serves.set(call.server, call.protocol);
  const kind = (name: string) => (serves.has(name) ? `${serves.get(name)} services` : "only callers");
  return calls.map((call) => ({ ...call, client: kind(call.client), server: kind(call.server) }));
}
