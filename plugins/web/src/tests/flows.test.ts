import { expect, test } from "vitest";
import { tableFrom } from "../api/table";
import { readFlows } from "../data/flows";

const COLUMNS = ["flow_id", "start_time", "end_time", "l7_protocol", "close_type", "duration", "packet", "byte", "l7_request"];

const table = (...values: (string | number)[][]) =>
  tableFrom({ result: { columns: COLUMNS, values, schemas: COLUMNS.map(() => ({})) } });

test("a flow that is told each minute and at its end is one flow", () => {
  const rows = [
    ["7", "2026-11-28T12:21:04.000000Z", "2026-11-28T12:21:04.000000Z", "DNS", "finish", 900, 1, 60, 0],
    ["8", "2026-11-28T12:20:58.000000Z", "2026-11-28T12:20:58.000000Z", "HTTP", "finish", 5, 2, 10, 1],
    ["7", "2026-11-28T12:20:59.000000Z", "2026-11-28T12:20:59.900000Z", "Unknown", "forced_report", 900, 2, 140, 1],
  ];
  const [first, second, ...more] = readFlows(table(...rows));
  expect(more).toEqual([]);
  expect(first).toMatchObject({ flow: "7", protocol: "DNS", ended: "finish", packets: 3, bytes: 200, requests: 1, lasted: 900 });
  expect(second).toMatchObject({ flow: "8", packets: 2 });
  const backwards = readFlows(table(...[...rows].reverse()))[0];
  expect(backwards).toMatchObject({ ...first, protocol: "DNS" });
});

test("its end counts although no packet came behind the minute", () => {
  const end = ["7", "2026-11-28T12:20:55.473302Z", "2026-11-28T12:20:55.473302Z", "DNS", "finish", 599, 0, 0, 0];
  const minute = ["7", "2026-11-28T12:20:55.472703Z", "2026-11-28T12:20:55.473302Z", "DNS", "forced_report", 599, 2, 140, 1];
  for (const rows of [[end, minute], [minute, end]]) {
    const [flow, ...more] = readFlows(table(...rows));
    expect(more).toEqual([]);
    expect(flow).toMatchObject({ ended: "finish", packets: 2, id: "7|2026-11-28T12:20:55.473302Z|2026-11-28T12:20:55.473302Z" });
  }
});
