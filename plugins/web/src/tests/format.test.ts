import { expect, test } from "vitest";
import { bytes, count, duration, percent, rate, seconds, span } from "../format";

test("numbers keep three digits and a unit", () => {
  expect(count(136)).toBe("136");
  expect(count(70_685)).toBe("70.7 k");
  expect(bytes(61_800)).toBe("61.8 kB");
  expect(rate(45.333)).toBe("45.3/s");
  expect(rate(0)).toBe("0/s");
});

test("durations choose their unit, and nothing measured is a dash", () => {
  expect(duration(18)).toBe("18 µs");
  expect(duration(76_543)).toBe("76.5 ms");
  expect(duration(1_500_000)).toBe("1.5 s");
  expect(duration(null)).toBe("–");
  expect(duration(NaN)).toBe("–");
  expect(span(3600)).toBe("60 min");
});

test("a share is never rounded to nothing", () => {
  expect(percent(0)).toBe("0 %");
  expect(percent(0.0001)).toBe("<0.1 %");
  expect(percent(0.25)).toBe("25 %");
  expect(percent(0.053)).toBe("5.3 %");
});

test("times are read in every form the server has", () => {
  expect(seconds("2026-11-21T07:27:15Z")).toBe(1795246035);
  expect(seconds("2026-11-21T07:27:15.630417Z")).toBeCloseTo(1795246035.630417, 6);
  expect(seconds(1795246035)).toBe(1795246035);
  expect(seconds(1795246035630417)).toBeCloseTo(1795246035.630417, 5);
  expect(seconds("1795246035630417000")).toBeCloseTo(1795246035.63, 2);
  expect(seconds("")).toBeNull();
  expect(seconds(null)).toBeNull();
  expect(seconds("not a time")).toBeNull();
});
