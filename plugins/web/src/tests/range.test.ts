import { expect, test } from "vitest";
import { parsePlace } from "../state/location";
import { lengthOf, precisionOf, rangeOf, stepOf } from "../state/range";

const NOW = 1_000_000;

test("live ends now, an old capture is shown where its data is", () => {
  expect(rangeOf({}, NOW, NOW - 5000, NOW - 3)).toEqual({ from: NOW - 899, to: NOW + 1, live: true, moved: false });
  expect(rangeOf({}, NOW, null, null).live).toBe(true);
  expect(rangeOf({}, NOW, 500_000, 500_002)).toEqual({ from: 500_000, to: 500_003, live: false, moved: true });
  expect(rangeOf({ r: "1m" }, NOW, 400_000, 500_000)).toEqual({ from: 499_941, to: 500_001, live: false, moved: true });
});

test("live begins where somebody began to watch, and is a minute at least", () => {
  expect(rangeOf({}, NOW, NOW - 200.5, NOW - 3)).toEqual({ from: NOW - 201, to: NOW + 1, live: true, moved: false });
  expect(rangeOf({}, NOW, NOW - 5, NOW - 3)).toEqual({ from: NOW - 59, to: NOW + 1, live: true, moved: false });
  expect(rangeOf({ r: "1m" }, NOW, NOW - 200, NOW - 3).from).toBe(NOW - 59);
});

test("a fixed range is taken as it is, nonsense is not", () => {
  expect(rangeOf({ from: "100", to: "160" }, NOW, null, NOW)).toEqual({ from: 100, to: 160, live: false, moved: false });
  const wrong: Record<string, string>[] = [{ from: "5", to: "4" }, { from: "x", to: "9" }, { r: "<b>" }, { r: "0m" }, { r: "9999999d" }];
  for (const params of wrong) {
    expect(rangeOf(params, NOW, NOW, NOW).live).toBe(true);
  }
  expect(lengthOf("6h")).toBe(21_600);
});

test("buckets fit the range", () => {
  const range = (length: number) => ({ from: 0, to: length, live: false, moved: false });
  expect(stepOf(range(3))).toBe(1);
  expect(stepOf(range(900))).toBe(10);
  expect(stepOf(range(7 * 86_400))).toBe(7200);
  expect(precisionOf(range(3600))).toBe("1s");
  // a bucket of rows of a minute is whole minutes
  for (const length of [3601, 21_600, 86_400]) {
    expect(precisionOf(range(length))).toBe("1m");
    expect(stepOf(range(length)) % 60).toBe(0);
    expect(stepOf(range(length), 60) % 60).toBe(0);
  }
});

test("a screen is the last part of the path", () => {
  expect(parsePlace("/", "").screen).toBe("overview");
  expect(parsePlace("/below/a/prefix/map", "?by=ip").screen).toBe("map");
  expect(parsePlace("/map", "?by=ip").params).toEqual({ by: "ip" });
});
