import { expect, test } from "vitest";
import { carried } from "../data/links";
import { watchedOf } from "../state/range";
import { boxText, secondsOf } from "../ui/moment";
import { type Field, ordered } from "../ui/table";

test("filters go along to a screen that knows their columns", () => {
  const filters = [{ column: "auto_service_1", op: "=" as const, value: "orders" }, { column: "response_code", op: "=" as const, value: "500" }];
  expect(carried("requests", "flows", filters)).toBe('["auto_service_1=orders"]');
  expect(carried("requests", "requests", filters)).toContain("response_code");
  expect(carried("requests", "health", filters)).toBe("");
  expect(carried("overview", "map", filters)).toBe("");
});

test("a column orders rows, those without a value last in either direction", () => {
  const fields: Field<{ n: number | null }>[] = [{ key: "n", title: "n", width: "1px", cell: (row) => row.n, by: (row) => row.n }];
  const rows = [{ n: 2 }, { n: null }, { n: 10 }, { n: 1 }];
  expect(ordered(rows, fields, "n").map((row) => row.n)).toEqual([1, 2, 10, null]);
  expect(ordered(rows, fields, "-n").map((row) => row.n)).toEqual([10, 2, 1, null]);
  expect(ordered(rows, fields, "other")).toBe(rows);
});

test("a rate is of the time in which somebody watched", () => {
  const range = { from: 1000, to: 1900, live: true, moved: false };
  expect(watchedOf(range)).toBe(900);
  expect(watchedOf({ ...range, oldest: 1890 })).toBe(10);
  expect(watchedOf({ ...range, oldest: 5000 })).toBe(1);
  expect(watchedOf({ ...range, oldest: null })).toBe(900);
});

test("a moment is written and read in the reader's zone", () => {
  expect(secondsOf(boxText(1_795_882_743))).toBe(1_795_882_743);
  for (const wrong of ["", "nonsense", "1969-01-01T00:00:00"]) expect(secondsOf(wrong)).toBeNull();
});
