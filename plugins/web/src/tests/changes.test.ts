import { expect, test } from "vitest";
import { changesOf, MOST_SERVICES } from "../data/changes";
import type { Service } from "../data/services";

function service(key: string, more: Partial<Service> = {}): Service {
  const numbers = { requests: 100, errors: 0, timeouts: 0, delay: 1000, p50: 1000, p95: 2000, slowest: 5000, clients: 1 };
  return { key, name: key, address: key, port: "80", protocol: "HTTP", ...numbers, ...more };
}

const kinds = (before: Service[], now: Service[], beforeS = 60, nowS = 60) => changesOf(before, now, beforeS, nowS).map((change) => `${change.kind} ${change.service.key}`);

test("the same again is no change, and neither is what chance makes", () => {
  expect(kinds([service("a")], [service("a")])).toEqual([]);
  expect(kinds([service("a", { errors: 2 })], [service("a", { errors: 5, requests: 120, p95: 2400 })])).toEqual([]);
});

test("services come and go", () => {
  expect(kinds([service("a"), service("b")], [service("b"), service("c")])).toEqual(["gone a", "new c"]);
  expect(kinds([service("a", { requests: 3 })], [])).toEqual([]);
});

test("a service fails, becomes slower and busier; another one recovers", () => {
  const before = [service("a"), service("b", { errors: 50 })];
  const now = [service("a", { errors: 30, timeouts: 10, p95: 9000, requests: 300 }), service("b")];
  expect(kinds(before, now)).toEqual(["failing a", "slower a", "busier a", "recovered b"]);
  expect(changesOf(before, now, 60, 60)[0]).toMatchObject({ said: "0 % → 13 % failed", tone: "bad" });
});

test("rates are compared over their own time", () => {
  expect(kinds([service("a", { requests: 100 })], [service("a", { requests: 200 })], 60, 120)).toEqual([]);
});

test("of few requests nothing is said, and cut lists say nothing of who is missing", () => {
  expect(kinds([service("a", { requests: 4 })], [service("a", { requests: 4, errors: 4, p95: 90_000 })])).toEqual([]);
  const many = Array.from({ length: MOST_SERVICES }, (_, index) => service(`s${index}`));
  expect(kinds(many, [service("new"), ...many.slice(1)])).toEqual([]);
});

test("a whole list of nothing", () => {
  expect(kinds([], [])).toEqual([]);
});
