/** Addresses of other screens with filters in them: how one clicks through. */

import { hrefWithTime } from "../state/location";
import { type Filter, writeFilters } from "./sql";

function filtersOf(equal: Record<string, string>): Filter[] {
  return Object.entries(equal).map(([column, value]) => ({ column, op: "=" as const, value }));
}

/** Ends and protocols: what requests, flows and the map all know. */
const SHARED = /^(l7_protocol|server_port|(ip|auto_(service|instance)|service|pod(_ns|_group|_node|_cluster)?|host|gprocess|region|az|vpc|subnet)_[01])$/;
const FILTERED = new Set(["requests", "flows", "map"]);

/** The filters of this screen that another one knows too, for a link to it; empty where there are none. */
export function carried(from: string, to: string, filters: Filter[]): string {
  if (!FILTERED.has(from) || !FILTERED.has(to)) return "";
  return writeFilters(from === to ? filters : filters.filter((filter) => SHARED.test(filter.column)));
}

export function requestsOf(equal: Record<string, string>): string {
  return hrefWithTime("requests", { f: writeFilters(filtersOf(equal)) });
}

export function flowsOf(equal: Record<string, string>): string {
  return hrefWithTime("flows", { f: writeFilters(filtersOf(equal)) });
}
