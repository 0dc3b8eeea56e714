/** Addresses of other screens with filters in them: how one clicks through. */

import { hrefWithTime } from "../state/location";
import { type Filter, writeFilters } from "./sql";

function filtersOf(equal: Record<string, string>): Filter[] {
  return Object.entries(equal).map(([column, value]) => ({ column, op: "=" as const, value }));
}

export function requestsOf(equal: Record<string, string>): string {
  return hrefWithTime("requests", { f: writeFilters(filtersOf(equal)) });
}

export function flowsOf(equal: Record<string, string>): string {
  return hrefWithTime("flows", { f: writeFilters(filtersOf(equal)) });
}
