/**
 * What is different from the time before: services that came or went, that fail or recovered, that became slower, faster, busier or quieter.
 *
 * Only what chance hardly makes is told: shares of errors by a test of two proportions, delays and rates from enough requests and by a wide step.
 */

import { count, duration, percent, rate } from "../format";
import type { Service } from "./services";

export interface Change {
  service: Service;
  kind: "new" | "gone" | "failing" | "recovered" | "slower" | "faster" | "busier" | "quieter";
  said: string;
  tone: "bad" | "good" | "";
}

/** Services that one question answers at most: in longer lists a missing one proves nothing. */
export const MOST_SERVICES = 200;

const ENOUGH = 20;
const Z = 3;
const STEP = 1.5;
const RATE_STEP = 2;
const LEAST_US = 500;

const ORDER: Change["kind"][] = ["failing", "gone", "slower", "new", "busier", "quieter", "recovered", "faster"];

/** @param beforeS, nowS how long the two ranges last, in seconds */
export function changesOf(before: Service[], now: Service[], beforeS: number, nowS: number): Change[] {
  const old = new Map(before.map((service) => [service.key, service]));
  const present = new Set(now.map((service) => service.key));
  const areWhole = before.length < MOST_SERVICES && now.length < MOST_SERVICES;
  const found: Change[] = [];
  for (const service of now) {
    const known = old.get(service.key);
    if (known) found.push(...between(known, service, beforeS, nowS));
    else if (areWhole) found.push({ service, kind: "new", said: `${count(service.requests)} requests, none before`, tone: "" });
  }
  for (const service of before) {
    if (areWhole && !present.has(service.key) && service.requests >= ENOUGH)
      found.push({ service, kind: "gone", said: `${count(service.requests)} requests before, none now`, tone: "bad" });
  }
  const weight = (change: Change) => ORDER.indexOf(change.kind);
  return found.sort((a, b) => weight(a) - weight(b) || b.service.requests - a.service.requests);
}

function between(known: Service, service: Service, beforeS: number, nowS: number): Change[] {
  const found: Change[] = [];
  const [share, shareBefore] = [failedShare(service), failedShare(known)];
  const z = proportions(known, service);
  if (Math.abs(z) >= Z) {
    const said = `${percent(shareBefore)} → ${percent(share)} failed`;
    found.push(z > 0 ? { service, kind: "failing", said, tone: "bad" } : { service, kind: "recovered", said, tone: "good" });
  }
  if (Math.min(known.requests, service.requests) < ENOUGH) return found;
  if (known.p95 !== null && service.p95 !== null && Math.abs(service.p95 - known.p95) >= LEAST_US) {
    const said = `p95 ${duration(known.p95)} → ${duration(service.p95)}`;
    if (service.p95 >= known.p95 * STEP) found.push({ service, kind: "slower", said, tone: "bad" });
    if (known.p95 >= service.p95 * STEP) found.push({ service, kind: "faster", said, tone: "good" });
  }
  const [pace, paceBefore] = [service.requests / nowS, known.requests / beforeS];
  const said = `${rate(paceBefore)} → ${rate(pace)}`;
  if (pace >= paceBefore * RATE_STEP) found.push({ service, kind: "busier", said, tone: "" });
  if (paceBefore >= pace * RATE_STEP) found.push({ service, kind: "quieter", said, tone: "" });
  return found;
}

const failed = (service: Service): number => Math.min(service.requests, service.errors + service.timeouts);

const failedShare = (service: Service): number => (service.requests ? failed(service) / service.requests : 0);

/** How many standard errors the share of failed requests moved; 0 where there is too little to tell. */
function proportions(known: Service, service: Service): number {
  const all = known.requests + service.requests;
  const pooled = all ? (failed(known) + failed(service)) / all : 0;
  if (pooled <= 0 || pooled >= 1 || Math.min(known.requests, service.requests) < 5) return 0;
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / known.requests + 1 / service.requests));
  return (failedShare(service) - failedShare(known)) / error;
}
